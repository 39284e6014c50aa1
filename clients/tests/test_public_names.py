"""The public names of segclient; to remove one breaks its users' programs."""

import segclient

PUBLIC = [
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


def test_public_names_are_these() -> None:
    assert segclient.__all__ == PUBLIC
    assert all(hasattr(segclient, name) for name in PUBLIC)
