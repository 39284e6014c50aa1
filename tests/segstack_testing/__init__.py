"""Helpers that tests of several packages share; pytest finds them through ``pythonpath`` in pyproject.toml.

- ``fake_serving``: `FakeServing`, TensorFlow Serving's gRPC calls with models and faults that a test scripts
- ``gateways``: a gateway in a thread (`gateway_thread`) or in a process (`gateway_process`); its metrics and its keys
- ``streams``: `open_stream`, a client of /stream written from PROTOCOL.md alone
- ``raw_http``: bare sockets, for requests that no HTTP client sends; unused ports
- ``images``: the photo of four colours, its mask, and Pillow as encoder and decoder
- ``hostile_images``: files that try to break an image decoder
- ``waiting``: `wait_until` and `scaled`, the one place that knows how slow this machine is
- ``fixtures``: the fixtures that the gateway's and segclient's tests both import into their ``conftest.py``
- ``small_model``: the drawn set, one small network trained on it and published, made once a run
- ``tiny_training``: the network of ``tiny.py``, a script with the trainer's commands; ``mirrored.py``: on two devices
- ``torch_checkpoints``: fixtures that write PyTorch checkpoints without PyTorch, and a DDRNet's state dict
- ``documented``: the commands that README and docs print, and the programs' own parsers
"""
