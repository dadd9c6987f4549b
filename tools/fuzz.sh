#!/usr/bin/env bash
# Builds the fuzzers of tests/fuzz/ with clang and runs them, each from the inputs in tests/fuzz/corpus/TARGET
# and in tests/files/TARGET where there is such a folder.
# Says for each how many inputs it tried and what came out; a crash is kept, named, and makes this fail.
#
# usage: tools/fuzz.sh [TARGET...] [--minutes N] [--keep]
#   TARGET       npy, safetensors, torch, zip, ...; all of tests/fuzz/fuzz_*.cpp where none is named
#   --minutes N  CPU-minutes for each target (default 10)
#   --keep       afterwards renew tests/fuzz/corpus/TARGET: of a minimised set of what was found as much as fits
#                into 120 files and 200 KB. Files with names of their own, made by hand, stay
#
# What it needs beside Enxerto's own packages: clang-16 libclang-rt-16-dev libomp-16-dev
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=10 keep=no targets=()
while [[ $# -gt 0 ]]; do
  case "$1" in
    --minutes) minutes=${2:?--minutes needs a number}; shift 2 ;;
    --keep) keep=yes; shift ;;
    -*) echo "usage: tools/fuzz.sh [TARGET...] [--minutes N] [--keep]" >&2; exit 2 ;;
    *) targets+=("$1"); shift ;;
  esac
done
if ! [[ $minutes =~ ^[0-9]+$ && $minutes -gt 0 ]]; then
  echo "--minutes $minutes: a whole number of minutes is needed" >&2
  exit 2
fi
if [[ ${#targets[@]} -eq 0 ]]; then
  for source in tests/fuzz/fuzz_*.cpp; do
    name=${source#tests/fuzz/fuzz_}
    targets+=("${name%.cpp}")
  done
fi
if ! command -v clang++-16 >/dev/null; then
  echo "clang++-16 is missing: apt-get install clang-16 libclang-rt-16-dev libomp-16-dev" >&2
  exit 1
fi
mkdir -p build/fuzz
cmake --preset fuzz >build/fuzz/configure.log || { cat build/fuzz/configure.log >&2; exit 1; }
ninja -C build/fuzz "${targets[@]/#/fuzz_}" >build/fuzz/build.log || { cat build/fuzz/build.log >&2; exit 1; }

limits=(-rss_limit_mb=2048 -malloc_limit_mb=1024 -timeout=30 -max_len=65536)
export UBSAN_OPTIONS=print_stacktrace=1

# Runs one target until it has used its CPU time: libFuzzer's own clock is the wall's.
fuzz() {
  local target=$1 left=$((minutes * 60)) runs=0 state=ok
  local work=build/fuzz/corpus/$target log=build/fuzz/$target.log program found seeds
  program=$(find build/fuzz -name "fuzz_$target" -type f -perm -u+x | head -n 1)
  mkdir -p "$work" "build/fuzz/crashes/$target" "tests/fuzz/corpus/$target"
  : >"$log"
  seeds=("tests/fuzz/corpus/$target")
  if [[ -d tests/files/$target ]]; then seeds+=("tests/files/$target"); fi
  while [[ $left -gt 0 && $state == ok ]]; do
    local before after
    before=$(children_seconds)
    "$program" "${limits[@]}" -max_total_time=$left -print_final_stats=1 -close_fd_mask=1 \
      -artifact_prefix="build/fuzz/crashes/$target/" "$work" "${seeds[@]}" >"$log.part" 2>&1 || state=crash
    cat "$log.part" >>"$log"
    found=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log.part" | tail -n 1)
    runs=$((runs + ${found:-0}))
    after=$(children_seconds)
    [[ $((after - before)) -gt 0 ]] || break
    left=$((left - (after - before)))
  done
  rm -f "$log.part"
  local used=$((minutes * 60 - left))
  if [[ $state == crash ]]; then
    echo "$target: CRASH after $used CPU-seconds; $(grep -m 1 -E 'SUMMARY|ERROR' "$log" || true)"
    echo "  input in build/fuzz/crashes/$target/, log in $log"
    return 1
  fi
  echo "$target: $runs inputs in $used CPU-seconds, no crash; $(find "$work" -type f | wc -l) inputs in the corpus"
  if [[ $keep == yes ]]; then keep_corpus "$target" "$program"; fi
}

# CPU seconds of the children that have ended.
children_seconds() {
  awk '{ print int(($16 + $17) / '"$(getconf CLK_TCK)"') }' "/proc/$$/stat"
}

# A sample of the smallest set of inputs that together reach what the whole corpus reaches: libFuzzer names
# files by their hash, so that their order is one of chance.
keep_corpus() {
  local target=$1 program=$2 all=0 count=0 size file
  local kept=tests/fuzz/corpus/$target chosen=build/fuzz/chosen/$target hash='[0-9a-f]\{40\}'
  rm -rf "$chosen" && mkdir -p "$chosen"
  "$program" "${limits[@]}" -max_len=8192 -merge=1 "$chosen" "$kept" "build/fuzz/corpus/$target" \
    >>"build/fuzz/$target.log" 2>&1
  find "$kept" -type f -regex ".*/$hash" -delete
  while read -r size file; do
    all=$((all + size)) count=$((count + 1))
    [[ $all -le 200000 && $count -le 120 ]] || break
    cp "$file" "$kept/"
  done < <(find "$chosen" -type f -printf '%s %p\n' | sort -k 2)
  echo "  $(find "$kept" -type f | wc -l) inputs kept in $kept"
}

failed=0
for target in "${targets[@]}"; do fuzz "$target" || failed=1; done
exit $failed
