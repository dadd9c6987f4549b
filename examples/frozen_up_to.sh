#!/usr/bin/env bash
# A network frozen up to its first, second, ... eighth stage: what that does to accuracy and time.
# shellcheck source=examples/lab.sh
source "${BASH_SOURCE%/*}/lab.sh"
begin "Frozen up to where?" "Congelada até onde?" \
  "Which stages of a trained network serve new pictures as they are, and which have to learn anew?" \
  "Que estágios de uma rede treinada servem para imagens novas tal como são, e quais têm de aprender de novo?" "$@"

if $real; then
  takes "five minutes"
  need photos/trashnet6
  pictures=trashnet6 flags="--size 96 --test-fraction 0.2"
else
  pictures=figures flags="--size 40 --no-check"
fi

say "Yosinski et al. 2014 (\"How transferable are features in deep neural networks?\") copied the first n layers of one
network into another and froze them there. The first stages of all networks that see look for the same: edges, blobs,
colours. The last look for what their own classes need. Between the two it must turn from general to specific; the question
is where, for given pictures." \
  "Yosinski et al. 2014 (\"How transferable are features in deep neural networks?\") copiaram as primeiras n camadas de uma
rede para outra e congelaram-nas lá. Os primeiros estágios de todas as redes que veem procuram o mesmo: arestas, manchas,
cores. Os últimos procuram aquilo de que precisam as suas próprias classes. Algures no meio passa-se do geral ao específico;
a pergunta é onde, para imagens dadas."
if $real; then
  say "The network is the one in the box, with nine stages; it learnt from photographs. The pictures are photographs of
rubbish." \
    "A rede é a que vem na caixa, com nove estágios; aprendeu com fotografias. As imagens são fotografias de lixo."
else
  say "The network is the one in the box, with nine stages; it learnt from photographs. The pictures are drawn: outlines with
three to five corners or petals. (\`--real\`: photographs of rubbish.)" \
    "A rede é a que vem na caixa, com nove estágios; aprendeu com fotografias. As imagens são desenhadas: contornos com três a
cinco vértices ou pétalas. (\`--real\`: fotografias de lixo.)"
  run drawn gnuplot -c examples/figures.gnuplot figures 1 40 'train 40 val 6 test 50' \
    'corners3 corners4 corners5 petals3 petals4 petals5'
fi

say "\`--blocks\` says how many of the last stages learn, together with a new head; the ones before are frozen. Unlike in
the paper, those behind the frozen part begin with what they had learnt, not at random." \
  "\`--blocks\` diz quantos dos últimos estágios aprendem, juntamente com uma cabeça nova; os anteriores ficam congelados. Ao
contrário do artigo, os que estão atrás da parte congelada começam com o que tinham aprendido, e não ao acaso."
run_script <<END
for blocks in 0 8 7 6 5 4 3 2 1; do
  enxerto fit $pictures --weights builtin --cut avgpool $flags --recipe finetune --blocks \$blocks \\
    --epochs 4 --lr 0.003 --no-augment --out blocks\$blocks --json >blocks\$blocks.json
done
enxerto summary blocks0 --json >layers.json
END

run_with() { echo "blocks$(($1 == 0 ? 0 : 9 - $1))"; }  # so many stages frozen
rights=() works=() speeds=() rows=() accuracies="" times="" best=0 early=1
for ((frozen = 0; frozen < 9; ++frozen)); do
  run=$(run_with $frozen)
  through=$(value "$run" '.transfer.phases[0].frozen_through')
  range=$(value "$run" '.test.top1_interval|tostring')
  rights+=("$(value "$run" .test.top1)") speeds+=("$(value "$run" .images_per_second)")
  names=$(value "$run" '[.transfer.layers.trained[].layer]|tostring')
  works+=("$(value layers "[.layers[] | select(.name as \$name | $names | index(\$name)) | .multiply_adds] | add")")
  rows+=("$frozen | ${through:--} | $(number "${works[frozen]} / 1e6" 1) | $(percent "${rights[frozen]}") | \
$(interval "$range")")
  accuracies+="$frozen ${rights[frozen]} ${range//[^0-9.]/ }"$'\n'
  times+="$frozen $(jq -n "${speeds[frozen]} / ${speeds[0]}, ${works[0]} / ${works[frozen]}" | tr '\n' ' ')"$'\n'
  holds "${rights[frozen]} <= ${rights[best]}" || best=$frozen
  ((frozen < 1 || frozen > 4)) || holds "${rights[frozen]} <= ${rights[early]}" || early=$frozen
done

section "Accuracy" "Exatidão"
n=$(value blocks0 .test.n)
table "frozen stages | up to | million multiply-adds that learn | top-1 of $n | 95 % interval" \
  "estágios congelados | até | milhões de multiplicações que aprendem | top-1 em $n | intervalo de 95 %" "${rows[@]}"
plot accuracy "test accuracy by the number of frozen stages" "exatidão no teste, pelo número de estágios congelados" <<END
\$accuracies << end
${accuracies}end
set title "$(words "test accuracy by the number of frozen stages" "exatidão no teste, pelo número de estágios congelados")"
set xlabel "$(words "frozen stages, from the input" "estágios congelados, a partir da entrada")"
set ylabel "%"
set xrange [-0.5:8.5]; set xtics 1
plot \$accuracies using 1:(100 * \$2):(100 * \$3):(100 * \$4) with yerrorlines pt 7 lw 2 \
  title "$(words "with 95 % interval" "com intervalo de 95 %")"
END
say "The early stages serve as they are: frozen up to stage $early $(percent "${rights[early]}") are right, with none frozen
$(percent "${rights[0]}"). The late ones do not: with all but the last stage frozen it is $(percent "${rights[8]}"). Edges are edges
everywhere; what stands at the end of a network is about its own classes. (Each point is one run, and the intervals are
wide: a point is no reason to prefer four frozen stages to three.)" \
  "Os primeiros estágios servem tal como são: congelando até ao estágio $early acerta-se em $(percent "${rights[early]}"), sem
congelar nenhum em $(percent "${rights[0]}"). Os últimos não: com todos congelados menos o último são $(percent "${rights[8]}"). Arestas são arestas em
toda a parte; o que está no fim de uma rede trata das classes dela. (Cada ponto é um só treino, e os intervalos são largos: um
ponto não é razão para preferir quatro estágios congelados a três.)"
check "Some of the first four stages can be frozen for less than 3 points" \
  "Alguns dos primeiros quatro estágios podem congelar-se por menos de 3 pontos" "${rights[early]} > ${rights[0]} - 0.03"
check "Freezing all but the last stage costs at least 5 points against the best" \
  "Congelar todos menos o último custa 5 pontos ou mais, em relação ao melhor" "${rights[8]} < ${rights[best]} - 0.05"

section "Time" "Tempo"
plot speed "speed of training by the number of frozen stages" "velocidade do treino, pelo número de estágios congelados" <<END
\$times << end
${times}end
set title "$(words "speed of training by the number of frozen stages" \
  "velocidade do treino, pelo número de estágios congelados")"
set xlabel "$(words "frozen stages, from the input" "estágios congelados, a partir da entrada")"
set ylabel "$(words "times as fast as with none" "vezes mais rápido do que com nenhum")"
set logscale y; set xrange [-0.5:8.5]; set xtics 1
plot \$times using 1:2 with linespoints pt 7 lw 2 title "$(words "measured" "medido")", \
  \$times using 1:3 with lines dashtype 2 lw 2 title "$(words "by multiply-adds" "pelas multiplicações")"
END
say "What is frozen is computed once for each picture and kept, so a step costs only what lies behind it. The dashed line is what
the multiply-adds of the layers that learn foretell; the clock also counts what is not multiplying." \
  "O que está congelado calcula-se uma vez por imagem e guarda-se; um passo só custa o que está depois. A linha tracejada é o que
preveem as multiplicações das camadas que aprendem; o relógio conta também o que não é multiplicar."
check "With all but the last stage frozen training is at least three times as fast" \
  "Com todos congelados menos o último, o treino é pelo menos três vezes mais rápido" "${speeds[8]} > 3 * ${speeds[0]}"
finish
