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

# The list of all labs, in the order of examples/CMakeLists.txt: title and question of each page.
# usage: list HEADING INTRODUCTION FILE
list() {
  printf '# %s\n\n%s\n\n' "$1" "$2"
  local name page
  sed -n 's/^add_lab\(_script\)\?(\(.*\))$/\2/p' examples/CMakeLists.txt | while read -r name; do
    page=docs/labs/$name/$3
    [[ ! -e $page ]] || printf -- '- [%s](%s/%s): %s\n' "$(sed -n '1s/^# //p' "$page")" "$name" "$3" \
      "$(sed -n '3s/^> //p' "$page")"
  done
}
list "Labs" "Each is a program or a script in [\`examples/\`](../../examples) with a question, a picture and an answer that is checked
when it runs: \`build/release/examples/lab_NAME\`, built with the tests, or \`examples/NAME.sh\` (with \`ENXERTO\` set to the program). It takes
seconds; \`--real\` takes the real data or the full length, where there is one, \`--pt\` speaks Portuguese, \`--out FOLDER\` keeps the page and its pictures.
These pages were written so, by \`examples/write_pages.sh build/release\`. [Em português](README.pt.md)." README.md >docs/labs/README.md
list "Laboratórios" "Cada um é um programa ou um script em [\`examples/\`](../../examples) com uma pergunta, uma imagem e uma resposta que é
verificada quando corre: \`build/release/examples/lab_NOME\`, compilado com os testes, ou \`examples/NOME.sh\` (com \`ENXERTO\` a indicar o programa).
Demora segundos; \`--real\` usa os dados reais ou a duração completa, onde os há, \`--pt\` fala português, \`--out PASTA\` guarda a página e as imagens.
Estas páginas foram escritas assim, por \`examples/write_pages.sh build/release\`. [In English](README.md)." README.pt.md >docs/labs/README.pt.md
