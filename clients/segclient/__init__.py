"""Python client of a Segstack gateway: images, folders, videos and cameras."""

from segclient.api.async_client import AsyncClient
from segclient.api.client import Client
from segclient.api.results import ClassInfo, Models, Reply, Segmentation, StreamResult, Timings
from segclient.errors import (
    BadReply,
    GatewayError,
    ImageError,
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
    "ImageError",
    "Models",
    "Reply",
    "SegclientError",
    "Segmentation",
    "SettingsError",
    "StreamClosed",
    "StreamResult",
    "Timings",
    "Unreachable",
]
