#!/usr/bin/env bash
# Installs what is missing, builds a release and runs the main job on pictures that it makes itself.
# What follows the command goes to `enxerto demo`: ./demo.sh --out my_run
set -euo pipefail
cd "$(dirname "$0")"
tools/install_dependencies.sh
cmake --preset release -DENXERTO_TESTS=OFF -DENXERTO_BENCH=OFF
cmake --build --preset release --parallel "$(nproc)"
# Threads that wait go to sleep: on a busy machine those that spin take the processor from those that work.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"
exec build/release/cli/enxerto demo "$@"
