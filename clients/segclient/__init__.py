"""Images, folders, videos and cameras through a Segstack gateway."""

from segclient.async_client import AsyncClient
from segclient.camera import Camera
from segclient.client import Client
from segclient.errors import (
    BadReply,
    GatewayError,
    PictureError,
    SegclientError,
    SettingsError,
    StreamClosed,
    Unreachable,
)
from segclient.results import ClassInfo, Models, Reply, Segmentation, StreamResult, Timings

__all__ = [
    "AsyncClient",
    "BadReply",
    "Camera",
    "ClassInfo",
    "Client",
    "GatewayError",
    "Models",
    "PictureError",
    "Reply",
    "SegclientError",
    "Segmentation",
    "SettingsError",
    "StreamClosed",
    "StreamResult",
    "Timings",
    "Unreachable",
]
