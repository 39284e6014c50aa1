"""The first of many, for a sentence."""

from collections.abc import Collection


def first_few(items: Collection[object], count: int = 3) -> str:
    """``a, b, c, …``: as many as ``count``."""
    shown = [str(item) for _, item in zip(range(count), items, strict=False)]
    return ", ".join([*shown, "…"] if len(items) > count else shown)
