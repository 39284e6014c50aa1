#!/usr/bin/env bash
# Makes .venv: the versions of requirements-dev.lock, and every service installed editable.
# Needs only Python 3.11 to 3.13. PYTHON=/path/to/python3.12 chooses one.
set -euo pipefail
cd "$(dirname "$0")/.."

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3 python3.12 python3.13 python3.11; do
    [[ -n $candidate ]] && command -v "$candidate" >/dev/null || continue
    "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null &&
      echo "$candidate" && return
    [[ $candidate == "${PYTHON:-}" ]] && break # chosen by name: use no other
  done
  echo "setup: ${PYTHON:-python3} is not Python 3.11, 3.12 or 3.13, which TensorFlow needs." \
    "Install one (on Debian 12: apt install python3 python3-venv) or name it: make setup PYTHON=/path/to/python3.12" >&2
  return 1
}

python=$(find_python)
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  echo "setup: $python cannot create virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2
  exit 1
fi

echo "setup: making .venv with $("$python" --version) (half a minute on a fast line, 550 MB to download)"
"$python" -m venv --clear .venv

# uv is in the lock too: pip installs it by its hashes, then uv installs the rest in parallel.
awk '/^[a-z]/ { wanted = /^uv==/ } wanted' requirements-dev.lock >.venv/uv.lock
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r .venv/uv.lock
install() {
  # Only pip reads a pip.conf, which may name a mirror: if uv cannot download, pip tries.
  VIRTUAL_ENV=$PWD/.venv .venv/bin/uv pip install --quiet "$@" && return
  echo "setup: uv could not install that; trying pip" >&2
  .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@"
}
install --no-deps --require-hashes -r requirements-dev.lock
services=()
for service in contract trainer converter serving gateway; do services+=(-e "services/$service"); done
install --no-deps --no-build-isolation "${services[@]}" -e clients
touch .venv/.ready
