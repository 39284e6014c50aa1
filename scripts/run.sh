#!/usr/bin/env bash
# Runs a segstack command in its service's container or in .venv, and prints where and why first.
#   scripts/run.sh train DATA --config …         in the trainer's container if an engine lists an NVIDIA runtime, else in .venv
#   scripts/run.sh convert MODEL …               in the converter's container, likewise
#   scripts/run.sh compose up serving gateway    with docker-compose.cpu.yml if no engine lists an NVIDIA runtime
# RUNTIME=docker or RUNTIME=local overrides where; COMPOSE_FILE, in the environment or in .env, overrides the compose files.
set -euo pipefail
cd "$(dirname "$0")/.."
verb=$1
shift

# As it was called before: `trainer train …` and `converter …`.
case $verb in
  trainer)
    verb=${1:---help}
    shift || true
    ;;
  converter) verb=convert ;;
esac
service=trainer
[[ $verb == convert ]] && service=converter

nvidia=no
docker info --format '{{range $name, $_ := .Runtimes}}{{$name}} {{end}}' 2>/dev/null | grep -qw nvidia && nvidia=yes

need_compose() {
  local found=
  if docker info >/dev/null 2>&1 && found=$(docker compose version --short 2>/dev/null); then
    # Development builds may have no version number.
    [[ ${found#v} == [0-9]* ]] || return 0
    printf '%s\n' 2.24.4 "${found#v}" | sort -CV && return
  fi
  echo "run: this needs a running Docker engine and Compose 2.24.4 or newer${found:+ (found: $found)}." \
    "Without Docker: make serve, make gateway" >&2
  exit 1
}

# A variable of the environment, or else of .env, as Compose reads it.
setting() {
  if [[ -n ${!1:-} ]]; then
    echo "${!1}"
  else
    sed -n "s/^$1=\([^ #]*\).*/\1/p" .env 2>/dev/null | tail -1 | tr -d "\"'" || true
  fi
}

files=(-f docker-compose.yml)
if [[ -n $(setting COMPOSE_FILE) ]]; then
  files=() where="with the files that COMPOSE_FILE names"
elif [[ $nvidia == yes ]]; then
  where="with NVIDIA GPUs"
else
  files+=(-f docker-compose.cpu.yml) where="without GPUs, as no engine lists an NVIDIA runtime"
fi
compose() { docker compose "${files[@]}" "$@"; }

# Containers write as the owner of the checkout, also if root runs this (sudo make train).
HOST_UID=$(setting HOST_UID)
HOST_GID=$(setting HOST_GID)
HOST_UID=${HOST_UID:-$(stat -c %u . 2>/dev/null || id -u)}
HOST_GID=${HOST_GID:-$(stat -c %g . 2>/dev/null || id -g)}
# The label of images that are built here.
SEGSTACK_VERSION=$(setting SEGSTACK_VERSION)
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' services/contract/contract/version.py 2>/dev/null) || true
SEGSTACK_VERSION=${SEGSTACK_VERSION:-$version}
export HOST_UID HOST_GID SEGSTACK_VERSION

# Bind mounts must exist.
for folder in data runs; do
  [[ -d $folder ]] && continue
  mkdir "$folder"
  ((EUID)) || chown "$HOST_UID:$HOST_GID" "$folder"
done

if [[ $verb == compose ]]; then
  need_compose
  echo "run: $where" >&2
  compose "$@"
  exit
fi

[[ $verb == convert && " $* " == *" --dry-run "* ]] && RUNTIME=dry
if [[ $verb == convert && $nvidia == no && ${RUNTIME:-auto} == auto ]]; then
  echo "run: engines are built on the GPU that runs them, and no Docker engine lists an NVIDIA runtime here." \
    "Convert on the machine that serves, or serve the unconverted model" >&2
  exit 1
fi

case ${RUNTIME:-auto}-$nvidia in
  docker-*) place=docker why="RUNTIME=docker is set" ;;
  local-*) place=local why="RUNTIME=local is set" ;;
  dry-*) place=local why="a dry run needs no GPU and makes its own environment" ;;
  auto-yes) place=docker why="the Docker engine lists an NVIDIA runtime" ;;
  auto-no) place=local why="no Docker engine lists an NVIDIA runtime" ;;
  *)
    echo "run: RUNTIME=$RUNTIME: expected docker or local" >&2
    exit 2
    ;;
esac

if [[ $place == docker ]]; then
  need_compose
  echo "run: segstack $verb in the $service's container, as $why" >&2
  # The converter's image starts `segstack convert`, the trainer's `segstack`.
  options=()
  if [[ $service == trainer ]]; then
    set -- "$verb" "$@"
    # What the trainer prints to go on with (`… train --resume RUN`) is typed here, where there may be no segstack.
    options=(-e "SEGSTACK_COMMAND=${RUNTIME:+RUNTIME=$RUNTIME }scripts/run.sh")
  fi
  compose run --rm --build "${options[@]}" "$service" "$@"
else
  # As in the trainer's image: glibc's malloc fragments under tf.data's many threads and large images.
  tcmalloc= memory=
  if [[ $service == trainer ]]; then
    tcmalloc=$(PATH=$PATH:/sbin ldconfig -p 2>/dev/null |
      awk '/libtcmalloc(_minimal)?\.so\.4 / && !path { path = $NF } END { print path }') || true
    memory=${tcmalloc:+", with TCMalloc ($tcmalloc)"}
    memory=${memory:-". TCMalloc would be used if it were installed (Debian: libtcmalloc-minimal4)"}
  fi
  echo "run: segstack $verb in .venv, as $why$memory" >&2
  [[ -e .venv/.ready ]] || make --no-print-directory setup
  export TCMALLOC_LARGE_ALLOC_REPORT_THRESHOLD=100000000000 # decoded images are large on purpose
  LD_PRELOAD=$tcmalloc${LD_PRELOAD:+ $LD_PRELOAD} .venv/bin/segstack "$verb" "$@"
fi
