"""DDRNet-23-slim as a PyTorch module, to measure what the same network costs there. Its weights are random.

Written from the paper (arXiv 2101.06085) and the shapes of the authors' state dict.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

PARAMETERS = 5_695_987  # with 19 classes


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    """Padded so that stride 1 keeps the size."""
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=bias)


def conv_bn(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution and batch normalisation."""
    return nn.Sequential(conv(inputs, outputs, kernel, stride), nn.BatchNorm2d(outputs))


def bn_relu_conv(inputs: int, outputs: int, kernel: int, pool: nn.Module | None = None) -> nn.Sequential:
    """The order of pyramid pooling and heads, behind a pool if there is one."""
    parts = [nn.BatchNorm2d(inputs), nn.ReLU(), conv(inputs, outputs, kernel)]
    return nn.Sequential(*([pool] if pool else []), *parts)


def resize_like(x: Tensor, like: Tensor) -> Tensor:
    """Bilinear, half-pixel centres."""
    return functional.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)


class Block(nn.Module):
    """A residual block without the ReLU at its end; of its convolutions the ``strided`` one has the stride."""

    def __init__(self, inputs: int, widths: list[int], kernels: list[int], stride: int, strided: int) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for number, (before, after, kernel) in enumerate(zip([inputs, *widths], widths, kernels, strict=False)):
            parts += [conv_bn(before, after, kernel, stride if number == strided else 1), nn.ReLU()]
        self.residual = nn.Sequential(*parts[:-1])
        outputs = widths[-1]
        self.downsample = conv_bn(inputs, outputs, 1, stride) if stride > 1 or inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """The residual and its shortcut."""
        return self.residual(x) + self.downsample(x)


def stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """Two basic blocks."""
    first, second = (Block(i, [outputs] * 2, [3, 3], s, 0) for i, s in ((inputs, stride), (outputs, 1)))
    return nn.Sequential(first, nn.ReLU(), second)


def bottleneck(inputs: int, width: int, stride: int) -> Block:
    """1x1, 3x3 and 1x1 to twice the width."""
    return Block(inputs, [width, width, 2 * width], [1, 3, 1], stride, 1)


class DAPPM(nn.Module):
    """Deep aggregation pyramid pooling."""

    def __init__(self, inputs: int, branch: int, outputs: int) -> None:
        super().__init__()
        pools: list[nn.Module] = [nn.AvgPool2d(k, s, s) for k, s in ((5, 2), (9, 4), (17, 8))]
        self.scale0 = bn_relu_conv(inputs, branch, 1)
        self.scales = nn.ModuleList(bn_relu_conv(inputs, branch, 1, p) for p in [*pools, nn.AdaptiveAvgPool2d(1)])
        self.processes = nn.ModuleList(bn_relu_conv(branch, branch, 3) for _ in self.scales)
        self.compression = bn_relu_conv(5 * branch, outputs, 1)
        self.shortcut = bn_relu_conv(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Each wider context is added to the one before it."""
        ys = [self.scale0(x)]
        for scale, process in zip(self.scales, self.processes, strict=True):
            ys.append(process(resize_like(scale(x), x) + ys[-1]))
        return self.compression(torch.cat(ys, 1)) + self.shortcut(x)


class DDRNet23Slim(nn.Module):
    """Images [N, 3, H, W] to logits [N, classes, H, W], the resize to the images' size included."""

    def __init__(self, classes: int = 19, planes: int = 32) -> None:
        super().__init__()
        high = 2 * planes
        self.relu = nn.ReLU()
        self.conv1 = nn.Sequential(
            conv(3, planes, 3, 2, bias=True),
            nn.BatchNorm2d(planes),
            nn.ReLU(),
            conv(planes, planes, 3, 2, bias=True),
            nn.BatchNorm2d(planes),
            nn.ReLU(),
        )
        self.layer1, self.layer2 = stage(planes, planes, 1), stage(planes, 2 * planes, 2)
        self.layer3, self.layer3_ = stage(2 * planes, 4 * planes, 2), stage(2 * planes, high, 1)
        self.layer4, self.layer4_ = stage(4 * planes, 8 * planes, 2), stage(high, high, 1)
        self.layer5, self.layer5_ = bottleneck(8 * planes, 8 * planes, 2), bottleneck(high, high, 1)
        self.down3 = conv_bn(high, 4 * planes, 3, 2)
        self.down4 = nn.Sequential(conv_bn(high, 4 * planes, 3, 2), nn.ReLU(), conv_bn(4 * planes, 8 * planes, 3, 2))
        self.compression3, self.compression4 = conv_bn(4 * planes, high, 1), conv_bn(8 * planes, high, 1)
        self.spp = DAPPM(16 * planes, 128, 4 * planes)
        self.final_layer = nn.Sequential(
            bn_relu_conv(4 * planes, 64, 3), nn.BatchNorm2d(64), nn.ReLU(), conv(64, classes, 1, bias=True)
        )

    def forward(self, image: Tensor) -> Tensor:
        """The two paths and their exchanges."""
        relu = self.relu
        x = relu(self.layer2(relu(self.layer1(self.conv1(image)))))
        low, high = self.layer3(x), self.layer3_(x)
        low, high = low + self.down3(relu(high)), high + resize_like(self.compression3(relu(low)), high)
        low, high = self.layer4(relu(low)), self.layer4_(relu(high))
        low, high = low + self.down4(relu(high)), high + resize_like(self.compression4(relu(low)), high)
        high, low = self.layer5_(relu(high)), self.layer5(relu(low))
        return resize_like(self.final_layer(high + resize_like(self.spp(low), high)), image)


def create() -> DDRNet23Slim:
    """The network for inference, its parameters counted."""
    network = DDRNet23Slim().eval()
    found = sum(parameter.numel() for parameter in network.parameters())
    if found != PARAMETERS:
        raise AssertionError(f"{found} parameters, the authors have {PARAMETERS}")
    return network
