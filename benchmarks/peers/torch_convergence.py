"""DDRNet-23-slim trained in PyTorch for a fixed time: the peer in benchmarks/convergence.py.

    python torch_convergence.py IMAGES.npz MASKS.npy SECONDS CLOCK

It runs in a separate environment. The recipe is services/trainer/recipes/cpu_10_minutes.yaml, with its schedule
spread over SECONDS by CLOCK, wall or cpu. It prints one line of JSON, and writes the last network's masks of the
validation images to MASKS.npy.
"""

import json
import math
import sys
import time

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_ddrnet import DDRNet23Slim

IGNORED, BATCH, PEAK, DECAY, WARM_UP = 255, 8, 0.003, 0.05, 100
MEAN, STD = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


def augmented(image: Tensor, mask: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """One example [3, H, W] in 0..1 and [H, W]: scaled, cropped or padded with ignored pixels, flipped, recoloured."""
    height, width = mask.shape
    scale = rng.uniform(0.75, 1.5)
    size = round(height * scale), round(width * scale)
    image = functional.interpolate(image[None], size, mode="bilinear", align_corners=False)[0]
    mask = functional.interpolate(mask[None, None].float(), size, mode="nearest")[0, 0].to(torch.uint8)
    right, bottom = max(0, width - size[1]), max(0, height - size[0])
    image, mask = (functional.pad(x, (0, right, 0, bottom), value=v) for x, v in ((image, 0), (mask, IGNORED)))
    top, left = rng.integers(0, mask.shape[0] - height + 1), rng.integers(0, mask.shape[1] - width + 1)
    image, mask = (x[..., top : top + height, left : left + width] for x in (image, mask))
    if rng.random() < 0.5:
        image, mask = image.flip(-1), mask.flip(-1)
    image = image * rng.uniform(0.8, 1.2) + rng.uniform(-0.2, 0.2)
    grey = image.mean(0, keepdim=True)
    return (grey + (image - grey) * rng.uniform(0.8, 1.2)).clip(0, 1), mask


def loss_of(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy plus half the Dice loss over present classes, image by image."""
    valid = labels != IGNORED
    entropy = functional.cross_entropy(logits, labels, ignore_index=IGNORED)
    shares = logits.softmax(1) * valid[:, None]
    truth = functional.one_hot(labels.where(valid, 0), logits.shape[1]).movedim(3, 1) * valid[:, None]
    both, total, pixels = (x.sum((2, 3)) for x in (shares * truth, shares + truth, truth))
    present = (pixels > 0).float()
    dice = ((1 - (2 * both + 1) / (total + 1)) * present).sum(1) / present.sum(1).clamp(min=1)
    return entropy + 0.5 * dice.mean()


def create(classes: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    """The network with its authors' initialisation, and AdamW that decays kernels only."""
    network = DDRNet23Slim(classes).to(memory_format=torch.channels_last)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    kernels = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim == 1]
    groups = [{"params": kernels, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    return network, torch.optim.AdamW(groups, lr=PEAK)


def main() -> None:
    """Train, predict, print."""
    source, target, seconds, clock = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]
    torch.set_num_threads(2)
    torch.manual_seed(1)
    rng, now = np.random.default_rng(1), time.process_time if clock == "cpu" else time.monotonic
    data = np.load(source)
    images, unseen = (torch.from_numpy(data[name]).movedim(-1, 1) for name in ("images", "validation"))
    masks = torch.from_numpy(data["masks"])
    network, optimizer = create(int(data["classes"]))
    started, step = now(), 0
    while (done := (now() - started) / seconds) < 1:
        for group in optimizer.param_groups:
            group["lr"] = PEAK * min(1, (step + 1) / WARM_UP) * (1 + math.cos(math.pi * done)) / 2
        chosen = rng.permutation(len(images))[:BATCH]
        pairs = [augmented(images[i].float() / 255, masks[i], rng) for i in chosen]
        batch = ((torch.stack([p[0] for p in pairs]) - MEAN) / STD).contiguous(memory_format=torch.channels_last)
        optimizer.zero_grad()
        loss_of(network.train()(batch), torch.stack([p[1] for p in pairs]).long()).backward()
        optimizer.step()
        step += 1
    network.eval()
    with torch.inference_mode():
        found = [network((chunk.float() / 255 - MEAN) / STD).argmax(1).to(torch.uint8) for chunk in unseen.split(BATCH)]
    np.save(target, torch.cat(found).numpy())
    print(json.dumps({"torch": torch.__version__, "steps": step}))


if __name__ == "__main__":
    main()
