#!/usr/bin/env bash
# Writes every lock file anew: all versions pinned with hashes, no index address in them.
# requirements-dev.lock is the whole .venv; services/<name>/requirements.lock is what its image installs.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}

# tensorflow-serving-api asks for tensorflow; where tensorflow-cpu has wheels it stands in, so the locks
# are complete and are installed with --no-deps.
overrides=$(mktemp)
trap 'rm -f "$overrides"' EXIT
echo "tensorflow>=2.21,<2.22 ; sys_platform != 'linux' or platform_machine != 'x86_64'" >"$overrides"

compile() { # output, then what to lock
  local output=$1
  shift
  "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --no-emit-package segstack-contract --no-annotate --custom-compile-command "make lock" -o "$output" "$@"
}

compile requirements-dev.lock requirements-dev.in \
  services/{contract,trainer,serving,gateway}/pyproject.toml --all-extras --overrides "$overrides"
compile services/gateway/requirements.lock services/gateway/pyproject.toml
