"""DDRNet-23-slim in PyTorch and ONNX Runtime, timed on request: the peer in benchmarks/inference.py.

It runs in a separate environment (benchmarks/requirements-torch.in). Each line on standard input names a contender,
which is called once; the milliseconds are printed. The first line printed is JSON with the versions.
"""

import io
import json
import sys
import time
from collections.abc import Callable

import onnxruntime
import torch
from torch_ddrnet import create

HEIGHT, WIDTH, THREADS = (int(word) for word in sys.argv[1:4])


def contenders() -> dict[str, Callable[[], object]]:
    """The contenders by name; each goes from a normalised image to logits at its size."""
    network, image = create(), torch.zeros(1, 3, HEIGHT, WIDTH).normal_()
    file = io.BytesIO()
    with torch.no_grad():
        program = torch.onnx.export(network, (image,), dynamo=True, verbose=False)
        program.save(file)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: image.numpy()}

    channels_last = create().to(memory_format=torch.channels_last)
    nhwc_image = image.to(memory_format=torch.channels_last)
    return {
        "pytorch eager": lambda: network(image),
        "pytorch channels_last": lambda: channels_last(nhwc_image),
        "onnxruntime": lambda: session.run(None, feed),
    }


def main() -> None:
    """Answer until standard input ends."""
    torch.set_num_threads(THREADS)
    known = contenders()
    print(json.dumps({"torch": torch.__version__, "onnxruntime": onnxruntime.__version__}), flush=True)
    with torch.inference_mode():
        for line in sys.stdin:
            call = known[line.strip()]
            started = time.perf_counter()
            call()
            print(1000 * (time.perf_counter() - started), flush=True)


if __name__ == "__main__":
    main()
