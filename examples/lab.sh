# shellcheck shell=bash
# What the labs that are scripts share, as lab.h has it for those in C++: a question, its answer in English and in
# Portuguese, checks that can fail, plots; and the commands as they were run. A lab prints a page of Markdown; with
# --out FOLDER the page and its pictures are written there too (examples/write_pages.sh).
#
# usage, at the head of a lab:
#   source "${BASH_SOURCE%/*}/lab.sh"
#   begin TITLE TITLE_PT QUESTION QUESTION_PT "$@"
#
# A lab then works in a folder of its own, which is removed at the end. ENXERTO is the program that `enxerto` runs
# (the one on the PATH). Every text is given twice, in English and in Portuguese.
set -euo pipefail
export LC_ALL=C.UTF-8

lab=$(basename "$0" .sh)
examples=$(realpath "${BASH_SOURCE%/*}")
program=${ENXERTO:-enxerto}
[[ $program != */* ]] || program=$(realpath -m "$program")
data=../shared/data out="" portuguese=false real=false
page="" in_commands=false failed=0

# Ends the lab from wherever it is, also from within $(...).
stop() {
  echo "$lab: $1" >&2
  kill -s TERM $$
  exit 1
}

skip() {
  echo "$lab: SKIPPED: $1" >&2
  exit 77
}

# The flags are lab.h's: --pt, --real, --data FOLDER, --out FOLDER.
begin() {
  local title title_pt question question_pt usage
  title=$1 title_pt=$2 question=$3 question_pt=$4
  shift 4
  usage="usage: examples/$lab.sh [--pt] [--real] [--data FOLDER] [--out FOLDER]"$'\n\n'"$title: $question"
  while [[ $# -gt 0 ]]; do
    case $1 in
      --pt) portuguese=true ;;
      --real) real=true ;;
      --data | --out)
        [[ $# -gt 1 ]] || { echo "$usage" >&2; exit 2; }
        if [[ $1 == --data ]]; then data=$2; else out=$2; fi
        shift ;;
      --help) echo "$usage"; exit 0 ;;
      *) echo "$usage" >&2; exit 2 ;;
    esac
    shift
  done
  command -v "$program" >/dev/null || skip "$program is missing; ENXERTO names the program, build/release/cli/enxerto"
  local tool
  for tool in jq gnuplot; do
    command -v $tool >/dev/null || skip "$tool is missing; tools/install_dependencies.sh --tests installs it"
  done
  data=$(realpath -m "$data")
  [[ -z $out ]] || { mkdir -p "$out"; out=$(realpath "$out"); }
  work=$(mktemp -d)
  readonly lab examples program data out portuguese real work
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' TERM
  trap 'echo "$lab: line $LINENO failed: $BASH_COMMAND" >&2' ERR
  cd "$work"
  ln -s "$examples" examples
  export ENXERTO_CACHE=$work/cache
  if $real; then exec 3>&2; else exec 3>log; fi  # where commands say how far they are
  print "# $(words "$title" "$title_pt")"$'\n\n'"> $(words "$question" "$question_pt")"$'\n\n'
}

# The one of two texts that is in the page's language.
words() { if $portuguese; then printf %s "$2"; else printf %s "$1"; fi; }

print() {
  page+=$1
  printf %s "$1"
}

# Ends the block of commands that is being shown.
end_commands() {
  if $in_commands; then
    in_commands=false
    print $'```\n\n'
  fi
}

section() { end_commands; print "## $(words "$1" "$2")"$'\n\n'; }
say() { end_commands; print "$(words "$1" "$2")"$'\n\n'; }

enxerto() { "$program" "$@"; }

# A command as one types it, in lines that are not too long: no flag is parted from its value.
typed() {
  local word flag="" line="" piece
  for word in "$@" ""; do
    [[ $word != *[^[:alnum:]_./:,=+@-]* ]] || word="'$word'"
    if [[ -z $flag && $word == -* ]]; then
      flag=$word
      continue
    fi
    piece=$flag flag=""
    if [[ $word == -* ]]; then flag=$word; else piece+=${piece:+${word:+ }}$word; fi
    if [[ -n $line && $((${#line} + ${#piece})) -gt 108 ]]; then
      echo "$line \\"
      line="    $piece"
    else
      line+=${line:+${piece:+ }}$piece
    fi
  done
  echo "$line"
}

# Runs a command and shows it; what it answers is in NAME.json.
# usage: run NAME COMMAND...
run() {
  local answer=$1
  shift
  $in_commands || print $'```sh\n'
  in_commands=true
  print "$(typed "$@")"$'\n'
  if ! "$@" >"$answer.json" 2>&3; then
    $real || cat log >&2
    stop "a command failed: $*"
  fi
}

# Shows lines of the shell, from standard input, and runs them as they are.
# usage: run_script <<'END'
run_script() {
  local lines code
  lines=$(cat)
  $in_commands || print $'```sh\n'
  in_commands=true
  print "$lines"$'\n'
  set +e
  (set -e; eval "$lines") 2>&3
  code=$?
  set -e
  if [[ $code -ne 0 ]]; then
    $real || cat log >&2
    stop "a command failed: $lines"
  fi
}

# What an answer says, by a filter of jq; one that finds nothing ends the lab.
# usage: value NAME FILTER
value() { jq -er "$2" "$1.json" || stop "$1.json: has no $2"; }

# Whether an expression of jq is true.
holds() {
  local answer
  answer=$(jq -n "$1") || stop "no condition: $1"
  [[ $answer == true || $answer == false ]] || stop "no condition: $1"
  [[ $answer == true ]]
}

# An expression of jq as a figure, with the comma of Portuguese.
# usage: number EXPRESSION [DIGITS]
number() {
  local figure
  figure=$(jq -en "$1") || stop "no number: $1"
  figure=$(printf "%.${2:-0}f" "$figure")
  if $portuguese; then figure=${figure/./,}; fi
  printf %s "$figure"
}
percent() { printf '%s %%' "$(number "100 * ($1)" "${2:-1}")"; }

# [0.5,0.625] as "50.0 to 62.5 %".
interval() { printf '%s %s %s' "$(number "100 * ($1)[0]" 1)" "$(words to a)" "$(percent "($1)[1]")"; }

# A probability that it was chance, which may be very small.
chance() {
  if holds "$1 < 0.0001"; then printf 'p < %s' "$(number 0.0001 4)"; else printf 'p = %s' "$(number "$1" 4)"; fi
}

# usage: table HEADER HEADER_PT ROW...    cells are between |
table() {
  end_commands
  local head rule row lines
  head=$(words "$1" "$2")
  shift 2
  rule="${head//[!|]/}|"
  lines="| $head |"$'\n'"|${rule//|/---|}"$'\n'
  for row in "$@"; do lines+="| $row |"$'\n'; done
  print "$lines"$'\n'
}

# A claim that this run bears out, or not: then finish answers 1.
# usage: check CLAIM CLAIM_PT CONDITION    an expression of jq
check() {
  end_commands
  if holds "$3"; then
    print "- [x] $(words "$1" "$2")"$'\n\n'
  else
    failed=$((failed + 1))
    print "- [ ] **WRONG** $(words "$1" "$2")"$'\n\n'
  fi
}

# A picture that a command has written in the lab's folder.
# usage: picture FILE DESCRIPTION DESCRIPTION_PT
picture() {
  end_commands
  print "![$(words "$2" "$3")]($1)"$'\n\n'
  [[ -z $out ]] || cp "$1" "$out"
}

# FILE.svg, by the commands of gnuplot on standard input.
# usage: plot FILE DESCRIPTION DESCRIPTION_PT <<END
plot() {
  end_commands
  local file
  file=$1$(words "" .pt).svg
  print "![$(words "$2" "$3")]($file)"$'\n\n'
  {
    echo "set terminal svg size 760,420 background rgb 'white' font 'sans-serif,13'; set output '$file'"
    echo "set encoding utf8; set grid; set key outside right noenhanced"
    words "" "set decimalsign ','"$'\n'
    cat
  } >plot.gnuplot
  gnuplot plot.gnuplot >&2 || stop "$file was not drawn"
  [[ -z $out ]] || cp "$file" "$out"
}

# A file or folder below --data, as a link in the lab's folder; where it is missing the lab is skipped.
need() {
  [[ -e $data/$1 ]] || skip "$data/$1 is missing; --data names the folder that has it"
  ln -sfn "$data/$1" "$(basename "$1")"
}

# Beforehand, to whoever waits.
takes() { echo "$lab --real takes about $1 on two cores that have nothing else to do" >&2; }

# Writes the page; the end of a lab.
finish() {
  end_commands
  [[ -z $out ]] || printf %s "${page%$'\n'}" >"$out/README$(words "" .pt).md"
  [[ $failed -eq 0 ]] || { echo "$lab: $failed of the checks failed" >&2; exit 1; }
}
