"""Test-time augmentation: an image is segmented mirrored, at several scales or through a sliding window."""

from collections.abc import Sequence
from dataclasses import dataclass

from trainer.errors import UserError

FLIPS = {"horizontally": (1,), "vertically": (0,), "both ways": (0, 1)}  # axes of [H, W, C]


@dataclass(frozen=True)
class TestTimeAugmentation:
    """How each image is segmented; by default it is segmented once, stretched to the input size, as clients do.

    Attributes:
        flips: each also mirrors: keys of :data:`FLIPS`.
        scales: factors of the input size (with ``window`` of the image's own size) that the image is resized to.
        window: do not stretch the image, but move a window of the input size over it.
        overlap: least fraction of a window that the next one covers too.
    """

    __test__ = False  # its name is not a test's

    flips: Sequence[str] = ()
    scales: Sequence[float] = (1.0,)
    window: bool = False
    overlap: float = 1 / 3

    def __post_init__(self) -> None:
        if not self.scales or not all(0.1 <= scale <= 8 for scale in self.scales):
            raise UserError(f"--scales {' '.join(f'{s:g}' for s in self.scales)}: expected factors from 0.1 to 8")
        if not 0 <= self.overlap <= 0.9:
            raise UserError(f"--overlap {self.overlap:g}: expected a fraction of the window from 0 to 0.9")

    @property
    def is_plain(self) -> bool:
        """Whether an image is segmented once and as a whole."""
        return not self.flips and tuple(self.scales) == (1.0,) and not self.window

    def __str__(self) -> str:
        parts = [f"mirrored {', '.join(self.flips)}"] if self.flips else []
        parts += [f"at scales {', '.join(f'{s:g}' for s in self.scales)}"] if tuple(self.scales) != (1.0,) else []
        parts += [f"through a sliding window with an overlap of {self.overlap:.0%}"] if self.window else []
        return ", ".join(parts) or "once, stretched to the input size"


PLAIN = TestTimeAugmentation()
