#!/usr/bin/env bash
# Installs what is missing and builds a release. Then, with a folder of photographs, a classifier of them; else the
# main job on pictures that it makes itself.
#
# usage: ./demo.sh [options of `enxerto demo`]
#        ./demo.sh PHOTOS [options of `enxerto fit`]     PHOTOS/CLASS/FILE; the run is enxerto-fit without --out
set -euo pipefail
root=$(cd "$(dirname "$0")" && pwd)
(
  cd "$root"
  tools/install_dependencies.sh
  cmake --preset release -DENXERTO_TESTS=OFF -DENXERTO_BENCH=OFF
  cmake --build --preset release --parallel "$(nproc)"
)
# Threads that wait go to sleep: on a busy machine those that spin take the processor from those that work.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"
enxerto=$root/build/release/cli/enxerto
if [[ ! -d ${1-} ]]; then
  exec "$enxerto" demo "$@"
fi
case " $* " in
  *" --out"* | *" --resume"*) exec "$enxerto" fit "$@" ;;
  *) exec "$enxerto" fit "$@" --out enxerto-fit ;;
esac
