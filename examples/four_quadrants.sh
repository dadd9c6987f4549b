#!/usr/bin/env bash
# Few or many pictures, near to or far from what the network has learnt: which recipe wins in each of the four quadrants.
# shellcheck source=examples/lab.sh
source "${BASH_SOURCE%/*}/lab.sh"
begin "Four quadrants" "Quatro quadrantes" \
  "Few or many pictures, like those that the network has learnt from or unlike: how much of it should learn?" \
  "Poucas ou muitas imagens, parecidas com aquelas com que a rede aprendeu ou não: quanto dela deve aprender?" "$@"

say "The rule of the lecture (it is that of Stanford's CS231n, \"Transfer Learning\"): with few pictures that are like the
old ones, a head on the frozen network; with many, the last layers too, or all of them; few and unlike is the hard case; many
and unlike, train everything. What is alike? Not what looks alike to us, but what the features tell apart. \`enxerto advise\`
calls pictures similar where the last features are the best and a head on them leaves at most a fifth of the mistakes that
guessing would make; here the second half of that is the measure." \
  "A regra da aula (é a do CS231n de Stanford, \"Transfer Learning\"): com poucas imagens, parecidas com as antigas, uma cabeça
sobre a rede congelada; com muitas, também as últimas camadas, ou todas; poucas e diferentes é o caso difícil; muitas e
diferentes, treinar tudo. O que é parecido? Não o que a nós nos parece, mas o que as características distinguem. O \`enxerto
advise\` chama parecidas às imagens em que as últimas características são as melhores e uma cabeça sobre elas deixa no máximo
um quinto dos erros que se fariam à sorte; aqui a medida é a segunda metade disso."

if $real; then
  takes "a quarter of an hour"
  need photos/hymenoptera
  need photos/flowers5
  need mnist
  size=64 learning="--epochs 4 --no-augment" last="--recipe warmup+finetune --c 0.1"
  say "Ants and bees, of which there are few, and flowers, of which there are many: photographs, as those that the small
network in the box has learnt from. Handwritten digits, the first 300 and all: nothing of the kind." \
    "Formigas e abelhas, que são poucas, e flores, que são muitas: fotografias, como aquelas com que aprendeu a rede pequena
que vem na caixa. Algarismos escritos à mão, os primeiros 300 e todos: nada do género."
  run_script <<'END'
mkdir digits
ln -s ../mnist/t10k-images-idx3-ubyte.gz ../mnist/t10k-labels-idx1-ubyte.gz digits
zcat mnist/train10k-images-idx3-ubyte.gz >images && zcat mnist/train10k-labels-idx1-ubyte.gz >labels
(printf '\0\0\10\3\0\0\1\54'; head -c $((16 + 300 * 784)) images | tail -c +9) >digits/train-images-idx3-ubyte
(printf '\0\0\10\1\0\0\1\54'; head -c $((8 + 300)) labels | tail -c +9) >digits/train-labels-idx1-ubyte
END
  sets=(hymenoptera flowers5 digits mnist)
else
  size=32 learning="--epochs 5 --lr 0.003 --no-augment" last="--recipe finetune --blocks 4"
  say "A triangle or a flower of five petals is a question that the features of the small network in the box answer, though it
has only seen photographs. Whether it is four corners or five, they do not tell well. (\`--real\`: photographs of few insects
and of many flowers, few and many handwritten digits; and what \`enxerto advise\` would choose.)" \
    "Um triângulo ou uma flor de cinco pétalas é pergunta a que as características da rede pequena que vem na caixa sabem
responder, embora só tenha visto fotografias. Se são quatro vértices ou cinco, não dizem bem. (\`--real\`: fotografias de
poucos insetos e de muitas flores, poucos e muitos algarismos escritos à mão; e o que o \`enxerto advise\` escolheria.)"
  run_script <<'END'
gnuplot -c examples/figures.gnuplot near_few 1 32 'train 16 val 10 test 100' 'corners3 petals5'
gnuplot -c examples/figures.gnuplot near_many 2 32 'train 100 val 10 test 100' 'corners3 petals5'
six='corners3 corners4 corners5 petals3 petals4 petals5'
gnuplot -c examples/figures.gnuplot far_few 3 32 'train 8 val 5 test 50' "$six"
gnuplot -c examples/figures.gnuplot far_many 4 32 'train 50 val 5 test 50' "$six"
END
  sets=(near_few near_many far_few far_many)
fi
few="--batch 8"  # else a step would take most of them at once
$real && judge="--test-fraction 0.25" || judge=""
run_script <<END
network='--weights builtin --cut avgpool --size $size --no-check'
learning='$learning'
four_recipes() {
  enxerto fit \$1 \$network \$2 --recipe probe --c 0.1 --out \$1-probe --json >\$1-probe.json
  enxerto fit \$1 \$network \$2 $last \$learning --out \$1-last --json >\$1-last.json
  enxerto fit \$1 \$network \$2 --recipe finetune \$learning --out \$1-all --json >\$1-all.json
  enxerto fit \$1 \$network \$2 --recipe scratch \$learning --out \$1-scratch --json >\$1-scratch.json
}
four_recipes ${sets[0]} '$few'
four_recipes ${sets[1]} '$judge'
four_recipes ${sets[2]} '$few'
four_recipes ${sets[3]} ''
END

section "What wins" "O que ganha"
recipes=(probe last all scratch)
declare -A top1 left
rows=() bars=""
for set in "${sets[@]}"; do
  row="\`$set\` | $(value "$set-probe" '.transfer.rows - .val.n')"
  best=$(jq -s 'map((.test // .val).top1) | max' "$set"-{probe,last,all,scratch}.json)
  for recipe in "${recipes[@]}"; do
    top1[$set-$recipe]=$(value "$set-$recipe" '(.test // .val).top1')
    shown=$(percent "${top1[$set-$recipe]}")
    ! holds "${top1[$set-$recipe]} == $best" || shown="**$shown**"
    row+=" | $shown"
  done
  left[$set]=$(value "$set-probe" '(.test // .val) | (1 - .top1) / (1 - 1 / (.classes | length))')
  rows+=("$row | $(percent "${left[$set]}" 0)")
  bars+="$set ${top1[$set-probe]} ${top1[$set-last]} ${top1[$set-all]} ${top1[$set-scratch]}"$'\n'
done
table "set | training pictures | head alone | last four stages | all | from nothing | mistakes that the head leaves, of those of guessing" \
  "conjunto | imagens de treino | só a cabeça | os últimos quatro estágios | tudo | do nada | erros que a cabeça deixa, dos de \
adivinhar à sorte" "${rows[@]}"
plot recipes "test accuracy of four recipes in four quadrants" "exatidão no teste de quatro receitas em quatro quadrantes" <<END
\$bars << end
${bars}end
set title "$(words "test accuracy of four recipes in four quadrants" \
  "exatidão no teste de quatro receitas em quatro quadrantes")"
set ylabel "%"; set yrange [0:105]
set style data histogram; set style histogram clustered gap 1; set style fill solid 0.8
set xtics noenhanced; set xrange [-0.6:3.6]
plot \$bars using (100 * \$2):xtic(1) title "$(words "head alone" "só a cabeça")", \
  \$bars using (100 * \$3) title "$(words "last four stages" "os últimos quatro estágios")", \
  \$bars using (100 * \$4) title "$(words "all" "tudo")", \
  \$bars using (100 * \$5) title "$(words "from nothing" "do nada")"
END
few_near=${sets[0]} many_near=${sets[1]} few_far=${sets[2]} many_far=${sets[3]}
if $real; then
  section "What advise says" "O que diz o advise"
  run_script <<END
network='--weights builtin --cut avgpool --size $size --no-check'
learning='$learning --pilot 3'
enxerto advise ${sets[0]} \$network --c 0.1 \$learning $few --json >${sets[0]}-advice.json
enxerto advise ${sets[1]} \$network --c 0.1 \$learning $judge --json >${sets[1]}-advice.json
enxerto advise ${sets[2]} \$network --c 0.1 \$learning $few --json >${sets[2]}-advice.json
enxerto advise ${sets[3]} \$network --c 0.1 \$learning --json >${sets[3]}-advice.json
END
  rows=() near_best=0
  declare -A run_of=([probe]=probe [warmup+finetune]=last [finetune]=all)
  for set in "${sets[@]}"; do
    rule=$(value "$set-advice" .quadrant.rule_of_thumb) advised=$(value "$set-advice" .recommended.recipe)
    said=${top1[$set-${run_of[$advised]}]}
    best=$(jq -s 'map((.test // .val).top1) | max' "$set"-{probe,last,all,scratch}.json)
    rows+=("\`$set\` | $rule | $advised | $(percent "$said") | $(percent "$best")")
    if holds "$said > $best - 0.03"; then near_best=$((near_best + 1)); fi
  done
  table "set | rule of thumb | advised, by trials | that, measured | the best, measured" \
    "conjunto | regra da aula | aconselhado, por ensaios | isso, medido | o melhor, medido" "${rows[@]}"
  say "What \`advise\` says comes within 3 points of the best in $near_best of the ${#sets[@]} sets." \
    "O que o \`advise\` diz fica a menos de 3 pontos do melhor em $near_best dos ${#sets[@]} conjuntos."
  check "What \`advise\` says comes within 3 points of the best in three sets at least (of training from nothing it says nothing)" \
    "O que o \`advise\` diz fica a menos de 3 pontos do melhor em pelo menos três conjuntos (de treinar do nada não fala)" \
    "$near_best >= 3"
else
  say "Near and few: the head alone has nearly all that there is to have. Near and many: each recipe but the last is good, and
the head is the cheapest. Far and few: none is good; the features do not tell the classes apart, and there is not enough to
learn better ones from. Far and many: here it pays to let the network learn. From nothing no set is large enough." \
    "Perto e poucas: só a cabeça já tem quase tudo o que há para ter. Perto e muitas: todas as receitas servem, menos a última, e
a cabeça é a mais barata. Longe e poucas: nenhuma serve; as características não distinguem as classes, e não há com que aprender
melhores. Longe e muitas: aqui compensa deixar a rede aprender. Do nada, nenhum conjunto chega."
  check "The near sets are near and the far ones are far, by what the head leaves: below and above 30 %" \
    "Os conjuntos próximos são próximos e os distantes distantes, pelo que a cabeça deixa: abaixo e acima de 30 %" \
    "([${left[$few_near]}, ${left[$many_near]}] | max) < 0.3 and ([${left[$few_far]}, ${left[$many_far]}] | min) > 0.3"
  check "From nothing is worse than the head alone, by at least 10 points, in every quadrant" \
    "Do nada é pior do que só a cabeça, por 10 pontos ou mais, em todos os quadrantes" \
    "${top1[$few_near-scratch]} < ${top1[$few_near-probe]} - 0.1 and ${top1[$many_near-scratch]} < ${top1[$many_near-probe]} - 0.1
      and ${top1[$few_far-scratch]} < ${top1[$few_far-probe]} - 0.1 and ${top1[$many_far-scratch]} < ${top1[$many_far-probe]} - 0.1"
  check "With few pictures training everything gains at most 5 points over the head alone, near or far" \
    "Com poucas imagens, treinar tudo ganha no máximo 5 pontos à cabeça sozinha, perto ou longe" \
    "${top1[$few_near-all]} < ${top1[$few_near-probe]} + 0.05 and ${top1[$few_far-all]} < ${top1[$few_far-probe]} + 0.05"
  check "With many that are near the head alone is at most 5 points behind the best" \
    "Com muitas que estão perto, só a cabeça fica no máximo a 5 pontos da melhor" \
    "${top1[$many_near-probe]} > ([${top1[$many_near-last]}, ${top1[$many_near-all]}] | max) - 0.05"
  check "With many that are far the better of the two that let it learn is at least 5 points better than the head alone" \
    "Com muitas que estão longe, a melhor das duas que a deixam aprender ganha à cabeça sozinha 5 pontos ou mais" \
    "([${top1[$many_far-last]}, ${top1[$many_far-all]}] | max) > ${top1[$many_far-probe]} + 0.05"
fi
finish
