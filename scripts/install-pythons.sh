#!/usr/bin/env bash
# The other Pythons that the tests run the contract, TensorFlow 2.6.2 and the dry run in, through uv where none is there.
set -euo pipefail
cd "$(dirname "$0")/.."
for version in 3.8 3.9 3.10 3.13; do
  PATH=$PATH:$(printf '%s:' ~/.pyenv/versions/"$version".*/bin) \
    .venv/bin/uv python find --no-python-downloads "$version" >/dev/null 2>&1 && continue
  .venv/bin/uv python install "$version"
done
