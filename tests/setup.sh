#!/usr/bin/env bash
# Gets a machine ready for the tests: chromium and ffmpeg from Debian, node, and the packages of tests/playwright.
# Made for Debian 12, as root or with sudo; elsewhere, install what it asks for and run it again.
# Run it as often as you like: with everything in place it takes a moment and touches no network.
# usage: bash tests/setup.sh
set -euo pipefail
project=$(cd "$(dirname "$0")/playwright" && pwd)
need_node=20        # the oldest major version that the pinned Playwright runs on
node_package=22     # the one fetched when the machine's is older

say() { echo "setup: $*"; }
die() { echo "setup: $*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
node_major() { node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0; }

root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif have sudo; then sudo "$@"
  else die "'$*' needs root and there is no sudo: run this script as root"; fi
}

# Packages that are missing, with one apt-get update for all of them.
wanted=()
[ -z "${CHROMIUM:-}" ] || have "$CHROMIUM" || die "CHROMIUM is '$CHROMIUM', which is no program here: correct or unset it"
[ -n "${CHROMIUM:-}" ] || have chromium || wanted+=(chromium)
have ffmpeg || wanted+=(ffmpeg)
have node || wanted+=(nodejs)
have npm || wanted+=(npm)
if [ ${#wanted[@]} -gt 0 ]; then
  have apt-get || die "Missing: ${wanted[*]}. There is no apt-get here: install them by other means and run this again"
  say "installing ${wanted[*]}"
  root apt-get update -qq || die "'apt-get update' failed: look at the network and at /etc/apt/sources.list*"
  root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null ||
    die "'apt-get install ${wanted[*]}' failed: its messages are above"
fi

# Debian 12 has node 18: the npm registry has newer ones, kept beside the project and not on the machine.
if [ -x "$project/.node/bin/node" ]; then PATH=$project/.node/bin:$PATH; fi
if [ "$(node_major)" -lt "$need_node" ]; then
  case $(uname -m) in x86_64) arch=x64 ;; aarch64) arch=arm64 ;; *) die "node $(node --version) is too old, $need_node is needed: install it and run this again" ;; esac
  say "node $(node --version) is too old for Playwright; fetching node $node_package into tests/playwright/.node"
  npm install --silent --no-save --no-package-lock --prefix "$project/.node" "node-linux-$arch@$node_package" ||
    die "npm could not fetch node $node_package: install node $need_node or newer and run this again"
  mkdir -p "$project/.node/bin"
  ln -sf "../node_modules/node-linux-$arch/bin/node" "$project/.node/bin/node"
  PATH=$project/.node/bin:$PATH
  [ "$(node_major)" -ge "$need_node" ] || die "node $need_node or newer is needed and could not be fetched: install it and run this again"
fi

# The packages of the example, exactly as locked; npm's own copy of the lock file says whether they are in place.
installed=$project/node_modules/.eart-lock
if ! cmp -s "$project/package-lock.json" "$installed"; then
  say "installing the packages of tests/playwright"
  (cd "$project" && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --silent) ||
    die "'npm ci' in $project failed: look at the network, or at 'npm config get registry'"
  cp "$project/package-lock.json" "$installed"
fi

# Playwright records video with a build of ffmpeg that it downloads; Debian's serves as well under that name.
revision=$(node -p 'require(process.argv[1]).browsers.find((b) => b.name === "ffmpeg").revision' "$project/node_modules/playwright-core/browsers.json")
ffmpeg=$project/.browsers/ffmpeg-$revision
if [ "$(readlink "$ffmpeg/ffmpeg-linux" || true)" != "$(command -v ffmpeg)" ]; then
  mkdir -p "$ffmpeg"
  ln -sf "$(command -v ffmpeg)" "$ffmpeg/ffmpeg-linux"
  touch "$ffmpeg/INSTALLATION_COMPLETE"
fi
say "ready: $("${CHROMIUM:-chromium}" --version 2>/dev/null | head -1), node $(node --version), Playwright $(node -p 'require(process.argv[1]).version' "$project/node_modules/@playwright/test/package.json")"
