#!/usr/bin/env bash
# Runs the example's tests and leaves playwright-report, test-results, results.json and junit.xml in OUT.
# Exits 0 when the run came out as expected.mjs says, which includes a test that fails on purpose.
# usage: run.sh [OUT]         (default: out/ beside this script; what an earlier run left there goes away)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(mkdir -p "${1:-$here/out}" && cd "${1:-$here/out}" && pwd)
if [ -x "$here/.node/bin/node" ]; then PATH=$here/.node/bin:$PATH; fi
if [ ! -e "$here/node_modules/@playwright/test" ]; then
  echo "run.sh: $here/node_modules is missing; run 'bash tests/setup.sh' first" >&2
  exit 2
fi
rm -rf "$out/playwright-report" "$out/test-results" "$out/results.json" "$out/junit.xml"

cd "$here"
export EXAMPLE_OUT=$out PLAYWRIGHT_BROWSERS_PATH=$here/.browsers
# an agent's or a CI's own settings must not change what the reports look like
unset CI FORCE_COLOR DEBUG PLAYWRIGHT_HTML_OPEN PLAYWRIGHT_JSON_OUTPUT_NAME PLAYWRIGHT_JUNIT_OUTPUT_NAME
node node_modules/@playwright/test/cli.js test || true # one test fails on purpose: check-run.mjs judges
node check-run.mjs "$out"
