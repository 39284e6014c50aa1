"""What ``import segclient`` offers: a name removed from here breaks other people's programs."""

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
