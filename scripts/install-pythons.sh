#!/usr/bin/env bash
# Installs, with uv, the Pythons that some tests need: for the contract, TensorFlow 2.6.2 and the dry run.
set -euo pipefail
cd "$(dirname "$0")/.."
for version in 3.8 3.9 3.10 3.13; do
  PATH=$PATH:$(printf '%s:' ~/.pyenv/versions/"$version".*/bin) \
    .venv/bin/uv python find --no-python-downloads "$version" >/dev/null 2>&1 && continue
  .venv/bin/uv python install "$version"
done
