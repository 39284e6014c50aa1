#!/usr/bin/env bash
# A Docker engine for the tests, and the names of base images that it has.
#
#   eval "$(tests/containers/engine/engine.sh start)"   # exports what docker, compose and the builds need; and
#                                                       # SEGSTACK_ENGINE_STARTED, where one had to be started
#   tests/containers/engine/engine.sh stop              # ends what start has started; its images stay for the next time
#   tests/containers/engine/engine.sh remove            # and these go too
#
# The machine's own engine is used where `docker info` answers. Else one is unpacked (not installed, but for iptables)
# and started, for which this must be root on Debian 12; everything lives in ~/.cache/segstack/engine. As any Docker
# engine it turns IP forwarding on and adds its chains to iptables; they stay until the next boot.
#
# Base images are pulled if a registry is reachable. Otherwise stand-ins with the same contents are built, named
# segstack-stand-in/…: Debian's slim root file system, Python copied from this machine, and for serving's
# image a Debian whose apt has python3.8. They prove that the Dockerfiles' steps and the wiring work, and not that they
# do on the upstream images.
set -euo pipefail

home=${XDG_CACHE_HOME:-$HOME/.cache}/segstack/engine
socket=unix://$home/docker.sock
started= work=
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

say() { echo "engine: $*" >&2; }
fail() { say "$*"; exit 1; }

# On every exit, temporary files are removed, and an engine whose address was not printed is stopped again.
leave() {
  local status=$?
  [[ -z $work ]] || rm -rf "$work"
  [[ $status == 0 || -z $started ]] || stop
}
trap leave EXIT

# Two at once: the second waits, and finds what the first one has made.
lock() {
  mkdir -p "$home"
  exec 9>"$home/lock"
  flock 9
}

ours() {
  export DOCKER_HOST=$socket DOCKER_CONFIG=$home/config
  export PATH=$home/tools/usr/bin:$home/tools/usr/sbin:$PATH:/usr/sbin:/sbin
}

start() {
  if docker info >/dev/null 2>&1; then
    [[ ${DOCKER_HOST:-} == "$socket" ]] || say "using this machine's Docker $(docker version -f '{{.Server.Version}}')"
    docker buildx version >/dev/null 2>&1 && docker compose version >/dev/null 2>&1 ||
      fail "its plugins buildx and compose are needed too: on Debian 13 apt install docker-buildx docker-compose"
  else
    start_ours
    echo "export DOCKER_HOST='$DOCKER_HOST' DOCKER_CONFIG='$DOCKER_CONFIG' PATH='$home/tools/usr/bin':\"\$PATH\""
  fi
  base_images
}

# --- the engine ---

start_ours() {
  [[ $EUID == 0 ]] || fail "no Docker engine answers here, and only root can start one: start Docker, or run this as root"
  # shellcheck source=/dev/null
  [[ $(. /etc/os-release && echo "$ID $VERSION_CODENAME") == "debian bookworm" && -e $keyring ]] ||
    fail "no Docker engine answers here, and one can be unpacked on Debian 12 alone: install and start Docker"
  ours
  lock
  docker info >/dev/null 2>&1 && return
  [[ -e $home/tools ]] || unpack
  ln -sf "$home"/tools/usr/libexec/docker/cli-plugins/* "$home/config/cli-plugins/"
  command -v iptables >/dev/null || {
    say "installing iptables"
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends iptables >&2
  }
  say "starting the engine"
  engine_process >/dev/null || rm -f "$home/docker.pid"
  started=yes
  # --mtu: what passes through tunnels too, as machines in clouds have them.
  setsid dockerd --host "$socket" --data-root "$home/data" --exec-root "$home/exec" --pidfile "$home/docker.pid" \
    --mtu 1400 >"$home/docker.log" 2>&1 </dev/null 9>&- &
  for _ in $(seq 240); do
    docker info >/dev/null 2>&1 && tidy && echo "export SEGSTACK_ENGINE_STARTED=1" && return
    sleep .25
  done
  tail -20 "$home/docker.log" >&2
  fail "the engine did not start; $home/docker.log has more than the lines above"
}

# Tests that were killed leave containers behind, which the engine has just started again; older builds leave images.
tidy() {
  docker ps --all --quiet | xargs --no-run-if-empty docker rm --force
  docker network prune --force && docker image prune --force
} >/dev/null

mirror() {
  grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | head -1
}

# Debian 12 has neither Compose 2 nor buildx: Docker comes from Debian 13. An apt state of its own leaves the machine's be.
unpack() {
  say "unpacking Docker, Compose and buildx"
  local deb options
  rm -rf "$home/apt" "$home/tools.part"
  mkdir -p "$home"/apt/{lists,archives}/partial "$home/config/cli-plugins"
  printf "deb [signed-by=$keyring] $(mirror) %s main\n" bookworm trixie >"$home/apt/sources.list"
  options=(-qq -o "Dir::Etc::sourcelist=$home/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$home/apt/lists" -o "Dir::Cache=$home/apt" -o "Dir::Cache::archives=$home/apt/archives"
    -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update >&2
  (cd "$home/apt" && apt-get "${options[@]}" download {docker.io,docker-cli,docker-compose,docker-buildx}/trixie \
    {containerd,runc,tini,mmdebstrap}/bookworm >&2)
  for deb in "$home"/apt/*.deb; do dpkg-deb -x "$deb" "$home/tools.part"; done
  # Renamed: a download that breaks off leaves nothing that looks finished.
  mv "$home/tools.part" "$home/tools"
  rm -rf "$home/apt"
}

# Its number, if it runs: the file outlives a power cut, and by then another process may have the number.
engine_process() {
  local pid
  pid=$(cat "$home/docker.pid" 2>/dev/null) && grep -qsaF -- "$socket" "/proc/$pid/cmdline" && echo "$pid"
}

stop() {
  local pid
  pid=$(engine_process) && kill "$pid" || return 0
  for _ in $(seq 240); do
    kill -0 "$pid" 2>/dev/null || { unmount; return; }
    sleep .25
  done
  fail "the engine (process $pid) has not ended within a minute"
}

# The engine leaves its data mounted now and then.
unmount() { awk -v home="$home/" 'index($2, home) == 1 { print $2 }' /proc/mounts | sort -r | xargs --no-run-if-empty umount; }

# --- base images ---

base_images() {
  local names=(python:3.12-slim python:3.8-slim tensorflow/serving:2.6.2) name
  for name in "${names[@]}"; do
    docker image inspect "$name" >/dev/null 2>&1 || timeout 600 docker pull -q "$name" >/dev/null 2>&1 || {
      say "$name cannot be pulled"
      stand_ins
      names=(segstack-stand-in/python:3.12 segstack-stand-in/python:3.8 segstack-stand-in/serving)
      break
    }
  done
  echo "export PYTHON_IMAGE='${names[0]}' CONVERTER_PYTHON_IMAGE='${names[1]}' SERVING_IMAGE='${names[2]}'"
}

stand_ins() {
  lock
  work=$(mktemp -d)
  has debian || debian
  has python:3.12 || python 3.12
  has python:3.8 || python 3.8
  has serving || serving
}

has() { docker image inspect "segstack-stand-in/$1" >/dev/null 2>&1; }

debian() {
  local mmdebstrap=$home/tools/usr/bin/mmdebstrap slim
  [[ -x $mmdebstrap ]] || mmdebstrap=$(command -v mmdebstrap) || fail "mmdebstrap is needed: apt install mmdebstrap"
  [[ $EUID == 0 ]] || fail "only root can make a stand-in for it: run this as root"
  say "making a stand-in for debian:bookworm-slim"
  slim=(--dpkgopt='path-exclude=/usr/share/'{doc,info,locale,man,lintian}'/*' --dpkgopt='path-include=/usr/share/doc/*/copyright')
  # usr-is-merged, made so by the hook: else usrmerge brings all of perl. The machine's certificates, as its network may
  # need them.
  "$mmdebstrap" --quiet --mode=root --variant=minbase "${slim[@]}" --aptopt='APT::Install-Recommends "false"' \
    --hook-dir="${mmdebstrap%/bin/*}/share/mmdebstrap/hooks/merged-usr" \
    --include=usr-is-merged,ca-certificates,netbase,tzdata,libssl3,libffi8,libsqlite3-0,libbz2-1.0,liblzma5,libreadline8,libuuid1,libexpat1,libncursesw6,libnsl2,libtirpc3 \
    --customize-hook='cp /etc/ssl/certs/ca-certificates.crt "$1"/etc/ssl/certs/' \
    bookworm - "deb [signed-by=$keyring] $(mirror) bookworm main" 2>"$work/debian.log" |
    docker import - segstack-stand-in/debian >/dev/null || { tail -20 "$work/debian.log" >&2; return 1; }
}

# The folder of a Python that can be copied elsewhere, as pyenv's and uv's can and Debian's own cannot.
python_folder() {
  local version=$1 uv=${BASH_SOURCE[0]%/*}/../../../.venv/bin/uv folder
  for _ in here installed; do
    for folder in "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".* \
      "${XDG_DATA_HOME:-$HOME/.local/share}/uv/python/cpython-$version".*; do
      [[ -x $folder/bin/python$version ]] && echo "$folder" && return
    done
    "$uv" python install "$version" >&2
  done
  fail "there is no Python $version to make a stand-in of: install one with pyenv or uv"
}

copy_python() { # version, folder: what upstream's slim image has of it
  local folder
  folder=$(python_folder "$1")
  mkdir -p "$2"
  tar -C "$folder" --exclude="lib/python$1/site-packages/*" --exclude="lib/python$1/"{test,idlelib,tkinter,EXTERNALLY-MANAGED} \
    --exclude="lib/python$1/config-*" --exclude=__pycache__ --exclude='*.a' \
    -c bin/{python,python3,"python$1"} include $(cd "$folder" && ls -d lib/python"$1" lib/libpython*) | tar -C "$2" -x
  ! command -v strip >/dev/null || strip --strip-unneeded "$2"/lib/libpython*.so.1.0 "$2/lib/python$1"/lib-dynload/*.so
}

python() {
  say "making a stand-in for python:$1-slim"
  copy_python "$1" "$work/$1/python"
  cat >"$work/$1/Dockerfile" <<'DOCKERFILE'
FROM segstack-stand-in/debian
COPY python/ /usr/local/
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt
RUN ldconfig && python -m ensurepip && ln -sf pip3 /usr/local/bin/pip && python -c "import bz2, ctypes, lzma, sqlite3, ssl"
CMD ["python3"]
DOCKERFILE
  docker build -q -t "segstack-stand-in/python:$1" "$work/$1" >/dev/null
}

# As Ubuntu 18.04's: python3.8 and python3-distutils come by apt, here from a folder.
serving() {
  say "making a stand-in for tensorflow/serving:2.6.2"
  local context=$work/serving package
  copy_python 3.8 "$context/python3.8/usr"
  rm -rf "$context/python3.8/usr/bin/"{python,python3} "$context/python3.8/usr/include"
  mkdir -p "$context/packages"
  for package in python3.8 python3-distutils; do
    mkdir -p "$context/$package/DEBIAN"
    printf '%s\n' "Package: $package" 'Version: 3.8' 'Architecture: amd64' 'Maintainer: Segstack <segstack@example.org>' \
      'Description: replaces the one of Ubuntu 18.04' >"$context/$package/DEBIAN/control"
    dpkg-deb --root-owner-group -Znone --build "$context/$package" "$context/packages/$package.deb" >/dev/null
    cat "$context/$package/DEBIAN/control" - >>"$context/packages/Packages" <<PACKAGES
Filename: ./$package.deb
Size: $(stat -c %s "$context/packages/$package.deb")
SHA256: $(sha256sum "$context/packages/$package.deb" | cut -d' ' -f1)

PACKAGES
  done
  cat >"$context/Dockerfile" <<'DOCKERFILE'
FROM segstack-stand-in/debian
COPY packages /opt/packages
RUN rm -rf /etc/apt/sources.list.d/* && echo "deb [trusted=yes] file:/opt/packages ./" >/etc/apt/sources.list
DOCKERFILE
  docker build -q -t segstack-stand-in/serving "$context" >/dev/null
}

case ${1:-} in
  start) start ;;
  stop) stop ;;
  remove) stop && unmount && rm -rf "$home" ;;
  *) fail "expected start, stop or remove" ;;
esac
