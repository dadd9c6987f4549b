#!/usr/bin/env bash
# Fails where clang-format 14 would change a C++ file. Exit code 77: clang-format 14 is not here, so
# nothing was checked. `tools/check_format.sh --fix` changes the files.
set -euo pipefail
cd "$(dirname "$0")/.."

formatter=""
for candidate in clang-format-14 clang-format; do
  if command -v "$candidate" >/dev/null && "$candidate" --version | grep -q 'version 14\.'; then
    formatter=$candidate
    break
  fi
done
if [[ -z $formatter ]]; then
  echo "SKIPPED: clang-format 14 is not installed, the format of the code was NOT checked" >&2
  exit 77
fi

arguments=(--dry-run --Werror)
[[ ${1:-} != --fix ]] || arguments=(-i)
find . -path './build*' -prune -o \( -name '*.h' -o -name '*.inl' -o -name '*.cpp' \) -print0 |
  xargs -0 "$formatter" "${arguments[@]}"
