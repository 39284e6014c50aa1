#!/usr/bin/env bash
# Unpacks Docker Compose 2 from Debian 13 into a folder, installing nothing, and prints the path of its binary.
#   tests/containers/unpack-compose.sh FOLDER
# It runs by itself, without Docker's command line or an engine, which is enough to resolve compose files.
# Debian 12 has no Compose 2: the newer package comes from the Debian mirror that this machine's apt already uses.
set -euo pipefail
folder=$1
compose=$folder/package/usr/libexec/docker/cli-plugins/docker-compose
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

if [[ ! -x $compose ]]; then
  mirror=$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | head -1) || true
  if [[ -z $mirror || ! -e $keyring ]]; then
    echo "no Debian mirror in /etc/apt: install Docker Compose 2.24 or later yourself" >&2
    exit 1
  fi
  # A state of its own: neither root nor the machine's package lists are touched.
  mkdir -p "$folder"/apt/{lists,archives}/partial
  cd "$folder/apt"
  echo "deb [signed-by=$keyring] $mirror trixie main" >sources.list
  options=(-qq -o "Dir::Etc::sourcelist=$PWD/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$PWD/lists" -o "Dir::Cache=$PWD" -o "Dir::Cache::archives=$PWD/archives"
    -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update >&2
  apt-get "${options[@]}" download docker-compose/trixie >&2
  # Unpacked beside and renamed: a download that breaks off leaves nothing that looks finished.
  rm -rf ../package.part
  dpkg-deb -x docker-compose_*.deb ../package.part
  mv ../package.part ../package
  rm -rf "$folder/apt"
fi
echo "$compose"
