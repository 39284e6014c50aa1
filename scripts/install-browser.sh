#!/usr/bin/env bash
# Installs what the page's tests need: Playwright into .venv, and Debian's Chromium (which needs root).
set -euo pipefail
cd "$(dirname "$0")/.."
VIRTUAL_ENV=$PWD/.venv .venv/bin/uv pip install --quiet --no-deps --require-hashes -r tests/browser/requirements.lock
command -v chromium >/dev/null && exit
if ((EUID)); then
  echo "install-browser: run this as root, or install a chromium first" >&2
  exit 1
fi
apt-get -qq update
echo "installing Debian's chromium"
DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium >/dev/null
