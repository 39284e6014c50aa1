#!/usr/bin/env bash
# Runs a tool where it runs best, and says in its first line where that is and why.
#   scripts/run.sh trainer train --config …      in its container where an engine lists an NVIDIA runtime, else in .venv
#   scripts/run.sh converter --input …           the same
#   scripts/run.sh compose up serving gateway    with docker-compose.cpu.yml where no engine lists an NVIDIA runtime
# RUNTIME=docker or RUNTIME=local decides instead.
set -euo pipefail
cd "$(dirname "$0")/.."
tool=$1
shift

nvidia=no
docker info --format '{{range $name, $_ := .Runtimes}}{{$name}} {{end}}' 2>/dev/null | grep -qw nvidia && nvidia=yes

compose() {
  local files=(-f docker-compose.yml)
  [[ $nvidia == yes ]] || files+=(-f docker-compose.cpu.yml)
  docker compose "${files[@]}" "$@"
}

# Bind mounts must exist, and what a container writes there must belong to the person, not to root.
mkdir -p data runs
HOST_UID=$(id -u) HOST_GID=$(id -g)
export HOST_UID HOST_GID

if [[ $tool == compose ]]; then
  [[ $nvidia == yes ]] && echo "run: with NVIDIA GPUs" >&2 || echo "run: without GPUs, as no engine lists an NVIDIA runtime" >&2
  compose "$@"
  exit
fi

case ${RUNTIME:-auto}-$nvidia in
  docker-*) place=docker why="RUNTIME=docker says so" ;;
  local-*) place=local why="RUNTIME=local says so" ;;
  auto-yes) place=docker why="the Docker engine lists an NVIDIA runtime" ;;
  auto-no) place=local why="no Docker engine lists an NVIDIA runtime" ;;
  *)
    echo "run: RUNTIME=$RUNTIME: expected docker or local" >&2
    exit 2
    ;;
esac

if [[ $place == docker ]]; then
  echo "run: $tool in its container, as $why" >&2
  compose run --rm --build "$tool" "$@"
else
  echo "run: $tool in .venv, as $why" >&2
  [[ -e .venv/.ready ]] || make --no-print-directory setup
  .venv/bin/python -m "$tool" "$@"
fi
