#!/usr/bin/env bash
# Writes docs/labs/NAME of each lab that was built: the page in both languages, and its pictures.
#
# usage: examples/write_pages.sh BUILD [NAME...]   (BUILD: build/release; no NAME: all)
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: examples/write_pages.sh BUILD [NAME...]}
shift
names=("$@")
if [[ ${#names[@]} -eq 0 ]]; then
  for program in "$build"/examples/lab_*; do [[ ! -x $program ]] || names+=("${program##*/lab_}"); done
fi
for name in "${names[@]}"; do
  for language in "" --pt; do
    "$build/examples/lab_$name" $language --out "docs/labs/$name" >/dev/null
  done
  echo "docs/labs/$name"
done
