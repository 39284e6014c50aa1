#!/usr/bin/env bash
# Updates every lock file: all versions pinned with hashes, no index address in them.
# requirements-dev.lock is the whole .venv, services/<name>/requirements.lock what its image installs, and
# requirements.lock in a folder of tests what some of them need in addition.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}

# tensorflow-serving-api requires tensorflow; where tensorflow-cpu has wheels, that replaces it. So the locks are
# complete and installed with --no-deps. The trainer's GPU image has tensorflow with NVIDIA's libraries instead.
cpu=$(mktemp) gpu=$(mktemp)
trap 'rm -f "$cpu" "$gpu"' EXIT
echo "tensorflow>=2.21,<2.22 ; sys_platform != 'linux' or platform_machine != 'x86_64'" >"$cpu"
printf '%s\n' 'tensorflow[and-cuda]>=2.21,<2.22' "tensorflow-cpu ; sys_platform == 'never'" >"$gpu"

compile() { # output, then what to lock
  local output=$1
  shift
  "$uv" pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-package segstack-contract \
    --no-annotate --custom-compile-command "make lock" -o "$output" "$@"
}
services() { compile "$@" --universal --python-version 3.11; }

services requirements-dev.lock requirements-dev.in \
  services/{contract,trainer,serving,gateway}/pyproject.toml clients/pyproject.toml --all-extras --overrides "$cpu"
services services/gateway/requirements.lock services/gateway/pyproject.toml --extra tracing
services services/serving/requirements.lock services/serving/pyproject.toml --extra openvino --overrides "$cpu"
services services/trainer/requirements.lock services/trainer/pyproject.toml --extra synthesize --extra hub --overrides "$cpu"
services services/trainer/requirements-gpu.lock services/trainer/pyproject.toml --extra synthesize --extra hub --overrides "$gpu"
services tests/browser/requirements.lock tests/browser/requirements.in
services tests/labelling/requirements.lock tests/labelling/requirements.in
services clients/tests/ffmpeg/requirements.lock clients/tests/ffmpeg/requirements.in
services services/trainer/tests/models/backends/requirements.lock services/trainer/tests/models/backends/requirements.in
# Installed into .venv by `make bench`, so it must agree with what is there.
services benchmarks/requirements.lock benchmarks/requirements.in --constraints requirements-dev.lock
# Other libraries are measured in separate environments, made when needed.
services benchmarks/requirements-peers.lock benchmarks/requirements-peers.in
services benchmarks/requirements-albumentations.lock benchmarks/requirements-albumentations.in
# TensorFlow Serving 2.6.2's image, in which the converter runs, has Python 3.8.
compile services/converter/requirements.lock services/converter/requirements.in \
  --python-version 3.8 --python-platform x86_64-manylinux2014
# Its dry run takes TensorRT's libraries from PyPI, whose wheels are for Python 3.10 only.
compile services/converter/requirements-dry-run.lock services/converter/requirements-dry-run.in \
  --python-version 3.10 --python-platform x86_64-manylinux2014
