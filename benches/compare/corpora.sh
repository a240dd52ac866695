#!/usr/bin/env bash
# Makes real and realistic inputs to measure with, below OUT; what is there already stays.
#   OUT/playwright/run-N   real Playwright runs: HTML report, traces, videos, screenshots, JUnit, JSON
#   OUT/small/run-N        a node_modules tree (some 70,000 files), then the same with 2 % of the files changed
#   OUT/text/run-N         pod logs whose messages repeat while their times differ
#   OUT/large/run-N        a 1 GiB incompressible file, then the same with short insertions
# usage: corpora.sh OUT [RUNS [SEED]]      (about 4.5 GB; what tests/setup.sh installs, and python3)
set -euo pipefail
[ $# -ge 1 ] || { sed -n "/^# usage/s/^# //p" "$0" >&2; exit 2; }
out=$(mkdir -p "$1" && cd "$1" && pwd) runs=${2:-3}
export SEED=${3:-1}
here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/../.." && pwd)

# A corpus is made under another name and renamed when whole, so that an interrupted one is made again.
make() {
  local part=$out/$1.part
  [ ! -e "$out/$1" ] || return 0
  rm -rf "$part" && mkdir "$part"
  "make_$1" "$part"
  mv "$part" "$out/$1"
  echo "$1: $(du -sh "$out"/"$1"/* | awk '{printf "%s ", $1}')"
}

make_playwright() {
  bash "$repo/tests/setup.sh"
  if [ -x "$repo/tests/playwright/.node/bin/node" ]; then PATH=$repo/tests/playwright/.node/bin:$PATH; fi
  (cd "$here/playwright" && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --silent)
  for ((n = 0; n < runs; n++)); do
    # some tests fail on purpose: what counts is that there is a report
    (cd "$here/playwright" && unset CI && RUN=$n EXAMPLE_OUT=$1/run-$n PLAYWRIGHT_BROWSERS_PATH=$repo/tests/playwright/.browsers \
      node node_modules/@playwright/test/cli.js test >"$out/playwright.log" 2>&1) || true
    for kind in playwright-report/index.html test-results results.json junit.xml; do
      [ -e "$1/run-$n/$kind" ] || { echo "corpora.sh: Playwright left no $kind: see $out/playwright.log" >&2; exit 1; }
    done
  done
  rm "$out/playwright.log"
}

make_small() {
  mkdir "$1/run-0"
  cp "$here/small/package.json" "$1/run-0/"
  (cd "$1/run-0" && npm install --silent --ignore-scripts --legacy-peer-deps --no-audit --no-fund >/dev/null)
  cp -a "$1/run-0" "$1/run-1"
  python3 - "$1/run-1" "$SEED" <<'P'
import os, random, sys
folder, r = sys.argv[1], random.Random(int(sys.argv[2]))
for root, folders, files in os.walk(folder):
    folders.sort()
    for name in sorted(files):
        path = os.path.join(root, name)
        if r.random() < 0.02 and not os.path.islink(path):
            with open(path, "a") as out:
                out.write(f"\n// changed {r.random()}\n")
P
}

make_text() {
  python3 - "$1" "$runs" "$SEED" <<'P'
import datetime, os, random, sys
out, runs, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
letters = random.Random(seed)
words = ["".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=letters.randint(4, 12))) for _ in range(4000)]
parts = ["kubelet", "controller", "backstage", "playwright", "argocd", "kargo", "webpack", "jest", "nginx", "postgres"]
messages = [
    "Reconciling object {k} namespace={n} generation={g}",
    "GET /api/catalog/entities?filter=kind%3D{k} 200 {g}ms",
    "  \u2713 {k} renders {n} within {g} ms",
    "WARN deprecated option {k} used by {n} (line {g})",
    "at Object.<anonymous> (/workspace/packages/{n}/src/{k}.test.ts:{g}:17)",
    '{{"level":"info","ts":"{t}","msg":"step finished","step":"{k}","duration":{g}}}',
]
for run in range(runs):
    os.makedirs(f"{out}/run-{run}")
    said, tick = random.Random(seed * 100), random.Random(seed * 1000 + run)
    for pod in range(20):
        with open(f"{out}/run-{run}/pod-{pod}.log", "w") as log:
            t = datetime.datetime(2026, 11, 20) + datetime.timedelta(hours=run)
            for _ in range(90000):
                t += datetime.timedelta(milliseconds=tick.randint(1, 400))
                at = t.isoformat()
                who = f"{said.choice(parts)}[{said.randint(1, 9999)}]"
                what = said.choice(messages).format(k=said.choice(words), n=said.choice(words), g=said.randint(1, 5000), t=at)
                log.write(f"{at}Z {who}: {what}\n")
P
}

make_large() {
  python3 - "$1" "$SEED" <<'P'
import os, random, sys
out, r = sys.argv[1], random.Random(int(sys.argv[2]))
os.makedirs(f"{out}/run-0")
os.makedirs(f"{out}/run-1")
with open(f"{out}/run-0/video.bin", "wb") as first, open(f"{out}/run-1/video.bin", "wb") as second:
    for i in range(1024):
        block = r.randbytes(1 << 20)
        first.write(block)
        if i % 128 == 5:
            second.write(b"inserted" * 37)
        second.write(block)
P
}

for corpus in playwright small text large; do make "$corpus"; done
