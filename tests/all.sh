#!/usr/bin/env bash
# Every test of the project: readies the machine, then documentation tests, then all others.
# Arguments go to the test runner: cargo-nextest where it is installed, cargo's own otherwise.
# usage: bash tests/all.sh [TEST RUNNER ARGUMENT...]
set -euo pipefail
cd "$(dirname "$0")/.."
bash tests/setup.sh
if [ -x tests/playwright/.node/bin/node ]; then PATH=$PWD/tests/playwright/.node/bin:$PATH; fi

cargo test --doc
if cargo nextest --version >/dev/null 2>&1; then
  if [ -n "${CI:-}" ]; then set -- --profile ci "$@"; fi
  cargo nextest run "$@"
else
  cargo test --lib --bins --tests "$@"
fi
