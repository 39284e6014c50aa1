"""The peer of input_pipeline.py, which runs it in an environment with albumentations and none of our code.

Reads ``LOADER STYLE IMAGES`` lines from standard input and answers each with the seconds for that many images and
the CPU seconds of the workers.
"""

import random
import sys
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from multiprocessing import get_context
from multiprocessing.sharedctypes import RawArray
from pathlib import Path

import albumentations as A  # type: ignore[import-not-found]  # noqa: N812 - as everybody calls it
import cv2
import numpy as np

SIZE, BATCH, WORKERS = 512, 8, 2
FILL, IGNORE = (124, 116, 104), 255
AHEAD = 2 * WORKERS  # batches under way
WARM_UP = 4  # batches

# As its documentation has it, operation after operation; and moved in one warp, as an expert would.
SCALE_AND_CROP = [
    A.RandomScale(scale_limit=(-0.5, 1.0), p=1),
    A.RandomCrop(SIZE, SIZE, pad_if_needed=True, pad_position="random", fill=FILL, fill_mask=IGNORE, p=1),
    A.HorizontalFlip(p=0.5),
    A.Rotate(limit=10, fill=FILL, fill_mask=IGNORE, p=1),
]
ONE_WARP = [
    A.Affine(scale=(0.5, 2), rotate=(-10, 10), translate_percent=(-0.25, 0.25), fill=FILL, fill_mask=IGNORE, p=1),
    A.HorizontalFlip(p=0.5),
]
APPEARANCE = [
    A.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.02, p=1),
    A.CoarseDropout(
        num_holes_range=(1, 3), hole_height_range=(0.01, 0.2), hole_width_range=(0.01, 0.2),
        fill=FILL, fill_mask=IGNORE, p=0.5,
    ),
    A.ImageCompression(quality_range=(40, 95), p=0.5),
    A.GaussianBlur(blur_limit=0, sigma_limit=(0.1, 2.0), p=0.5),
]  # fmt: skip
STYLES = {
    "steps": A.Compose([A.Resize(SIZE, SIZE), *SCALE_AND_CROP, *APPEARANCE]),
    "one-warp": A.Compose([A.Resize(SIZE, SIZE), *ONE_WARP, *APPEARANCE]),
}

pairs = [line.split("\t") for line in Path(sys.argv[1]).read_text().splitlines()]
# One batch a slot: image and mask, where a process of the pool can write and this one can read.
slots = [RawArray("B", BATCH * SIZE * SIZE * 4) for _ in range(AHEAD)]


def fill(slot: int, style: str, numbers: list[int]) -> tuple[int, float]:
    """Prepare one batch in a slot; return it and the CPU seconds that took."""
    cv2.setNumThreads(0)
    started = time.thread_time()
    batch = np.frombuffer(slots[slot], np.uint8).reshape(BATCH, SIZE, SIZE, 4)
    for row, number in enumerate(numbers):
        image, mask = (
            cv2.imread(path, flag)
            for path, flag in zip(pairs[number], (cv2.IMREAD_COLOR_RGB, cv2.IMREAD_UNCHANGED), strict=True)
        )
        done = STYLES[style](image=image, mask=mask)
        batch[row, ..., :3], batch[row, ..., 3] = done["image"], done["mask"]
    return slot, time.thread_time() - started


def seconds(executor: Executor, style: str, images: int) -> tuple[float, float]:
    """Prepare batches, a few ahead, and time ``images`` images of them once all workers are busy."""
    batches = images // BATCH
    waiting: deque[Future[tuple[int, float]]] = deque()
    submitted = taken = 0
    started = cpu = 0.0
    while taken < WARM_UP + batches:
        while len(waiting) < AHEAD:
            chosen = [random.randrange(len(pairs)) for _ in range(BATCH)]  # noqa: S311
            waiting.append(executor.submit(fill, submitted % AHEAD, style, chosen))
            submitted += 1
        slot, spent = waiting.popleft().result()
        assert np.frombuffer(slots[slot], np.uint8)[:: SIZE * SIZE].any()
        taken += 1
        if taken == WARM_UP:
            started = time.perf_counter()
        elif taken > WARM_UP:
            cpu += spent
    wall = time.perf_counter() - started
    wait(waiting)  # nothing is prepared while others have their turn
    return wall, cpu


def main() -> None:
    """Answer until standard input ends."""
    pools: dict[str, Callable[[], Executor]] = {
        "threads": lambda: ThreadPoolExecutor(WORKERS),
        "processes": lambda: ProcessPoolExecutor(WORKERS, mp_context=get_context("fork")),
    }
    opened: dict[str, Executor] = {"processes": pools["processes"]()}
    opened["processes"].submit(int).result()  # forked before there are threads
    opened["threads"] = pools["threads"]()
    for line in sys.stdin:
        loader, style, images = line.split()
        print(*seconds(opened[loader], style, int(images)), flush=True)


if __name__ == "__main__":
    main()
