#!/usr/bin/env bash
# Writes docs/labs/NAME of each lab that was built or is a script: the page in both languages, and its pictures.
#
# usage: examples/write_pages.sh BUILD [NAME...]   (BUILD: build/release; no NAME: all)
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: examples/write_pages.sh BUILD [NAME...]}
shift
names=("$@")
if [[ ${#names[@]} -eq 0 ]]; then
  for program in "$build"/examples/lab_*; do [[ ! -x $program ]] || names+=("${program##*/lab_}"); done
  for script in examples/*.sh; do ! grep -q '^begin ' "$script" || names+=("$(basename "$script" .sh)"); done
fi
export ENXERTO=$build/cli/enxerto
for name in "${names[@]}"; do
  program=examples/$name.sh
  [[ -e $program ]] || program=$build/examples/lab_$name
  for language in "" --pt; do
    "$program" $language --out "docs/labs/$name" >/dev/null
  done
  echo "docs/labs/$name"
done
