"""Which sizes networks take."""

import math


def check_size(name: str, height: int, width: int, multiple_of: int) -> None:
    """Refuse a size that is no multiple, naming the next one that is.

    Raises:
        ValueError: it is none.
    """
    if height < 1 or width < 1 or height % multiple_of or width % multiple_of:
        padded = [max(1, math.ceil(side / multiple_of)) * multiple_of for side in (height, width)]
        raise ValueError(
            f"{name} takes heights and widths that are multiples of {multiple_of}, not {height}x{width}: "
            f"the next size is {padded[0]}x{padded[1]} (height x width)"
        )
