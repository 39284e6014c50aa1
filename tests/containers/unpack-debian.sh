#!/usr/bin/env bash
# Unpacks a package of Debian 13 into a folder, installing nothing, and prints the path of one of its files.
#   tests/containers/unpack-debian.sh FOLDER PACKAGE FILE
# For programs that run by themselves: Docker Compose 2 (docker-compose), without Docker's command line or an engine,
# which is enough to resolve compose files; kubectl; promtool.
# Debian 12 has none of them new enough: they come from the Debian mirror that this machine's apt already uses.
set -euo pipefail
folder=$1 package=$2 file=$1/$2/$3
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

if [[ ! -e $file ]]; then
  mirror=$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | head -1) || true
  if [[ -z $mirror || ! -e $keyring ]]; then
    echo "no Debian mirror in /etc/apt: there is no $package of Debian 13 to be had" >&2
    exit 1
  fi
  # A state of its own: neither root nor the machine's package lists are touched.
  mkdir -p "$folder"
  state=$(mktemp -d "$folder/apt.XXXXXX")
  trap 'rm -rf "$state"' EXIT
  mkdir -p "$state"/{lists,archives}/partial
  cd "$state"
  echo "deb [signed-by=$keyring] $mirror trixie main" >sources.list
  options=(-qq -o "Dir::Etc::sourcelist=$PWD/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$PWD/lists" -o "Dir::Cache=$PWD" -o "Dir::Cache::archives=$PWD/archives"
    -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update >&2
  apt-get "${options[@]}" download "$package/trixie" >&2
  # Unpacked next to it and renamed: an interrupted download leaves nothing that looks complete.
  dpkg-deb -x "$package"_*.deb unpacked
  [[ -e unpacked/$3 ]] || { echo "Debian 13's $package has no $3" >&2; exit 1; }
  rm -rf "${folder:?}/$package"
  mv unpacked "$folder/$package"
fi
echo "$file"
