#!/usr/bin/env bash
# Installs Debian's Chromium for the tests of the page, unless a Chromium is there. Needs root.
set -euo pipefail
command -v chromium >/dev/null && exit
echo "installing Debian's chromium for the page's tests"
apt-get -qq update
DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium >/dev/null
