"""Images, folders, videos and cameras through a Segstack gateway."""

from segclient.api.async_client import AsyncClient
from segclient.api.client import Client
from segclient.api.results import ClassInfo, Models, Reply, Segmentation, StreamResult, Timings
from segclient.errors import (
    BadReply,
    GatewayError,
    PictureError,
    SegclientError,
    SettingsError,
    StreamClosed,
    Unreachable,
)
from segclient.video.camera import Camera

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
