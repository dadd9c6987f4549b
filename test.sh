#!/usr/bin/env bash
# Installs what is missing, builds, and runs all tests.
#
# usage: ./test.sh [--all | PRESET...]
#   no arguments   the release preset: what CI runs
#   PRESET...      of dev (debug, warnings are errors), asan (with ubsan), tsan, release
#   --all          all four, release last
set -euo pipefail
cd "$(dirname "$0")"

presets=("$@")
[[ $# -gt 0 ]] || presets=(release)
[[ ${1:-} != --all ]] || presets=(dev asan tsan release)
for preset in "${presets[@]}"; do
  case "$preset" in
    dev | asan | tsan | release) ;;
    *) echo "usage: ./test.sh [--all | PRESET...], presets are dev, asan, tsan and release" >&2; exit 2 ;;
  esac
done

tools/install_dependencies.sh --tests
for preset in "${presets[@]}"; do
  echo "== $preset"
  cmake --preset "$preset" -DENXERTO_TESTS=ON -DENXERTO_BENCH=ON
  cmake --build --preset "$preset" --parallel "$(nproc)"
  ctest --preset "$preset" --parallel "$(nproc)"
done
