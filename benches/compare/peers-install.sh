#!/usr/bin/env bash
# Puts today's versions of the peers into DIR/bin: restic, rustic, borg, bupstash, conserve, and b3sum for the floor.
# casync, git and zstd come from Debian. About 20 minutes on two cores, most of it compiling.
# usage: peers-install.sh DIR && PATH=DIR/bin:$PATH python3 benches/compare/compare.py ...
#        (as root on Debian, with cargo and python3)
set -euo pipefail
[ $# = 1 ] || { sed -n "/^# usage/,/^[^#]/s/^# \?//p" "$0" >&2; exit 2; }
dir=$(mkdir -p "$1/bin" && cd "$1" && pwd)
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq casync zstd git pkg-config python3-venv python3-dev libsodium-dev libacl1-dev libssl-dev liblz4-dev libzstd-dev libxxhash-dev >/dev/null

# restic: Debian stable's is years old; the one in sid is a static binary that runs anywhere
if [ ! -x "$dir/bin/restic" ]; then
  uri=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -1)
  [ -n "$uri" ] || uri=$(grep -rhoE '^deb (\[[^]]*\] )?[^ ]+/debian ' /etc/apt/sources.list* | awk '{print $NF}' | head -1)
  apt=$(mktemp -d)
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri sid main" >"$apt/sources.list"
  options=(-o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/nonexistent -o Dir::State::lists="$apt/lists"
    -o Dir::Cache="$apt/cache" -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update -qq
  (cd "$apt" && apt-get "${options[@]}" download -qq restic && dpkg -x restic_*.deb x)
  cp "$apt/x/usr/bin/restic" "$dir/bin/"
  rm -rf "$apt"
fi
if [ ! -x "$dir/bin/borg" ]; then
  python3 -m venv "$dir/borg"
  "$dir/borg/bin/pip" -q install 'borgbackup==1.4.*'
  ln -sf "$dir/borg/bin/borg" "$dir/bin/borg"
fi
for crate in b3sum bupstash conserve rustic-rs; do
  # some lock files name versions that newer compilers refuse
  cargo install --quiet --locked --root "$dir" "$crate" || cargo install --quiet --root "$dir" "$crate"
done

PATH=$dir/bin:$PATH
restic version
for tool in borg bupstash conserve rustic casync b3sum; do printf '%-10s' "$tool"; "$tool" --version 2>&1 | head -1; done
