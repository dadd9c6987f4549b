#!/usr/bin/env bash
# ResNet-50 without its top: frozen and not, what that costs, and the trap in between.
# shellcheck source=examples/lab.sh
source "${BASH_SOURCE%/*}/lab.sh"
begin "ResNet-50 without its top" "A ResNet-50 sem o topo" \
  "What does it save to freeze a network below a new head, what does it cost, and how does one know that it is frozen?" \
  "O que poupa congelar uma rede por baixo de uma cabeça nova, o que custa, e como se sabe que está congelada?" "$@"

if $real; then
  takes "a quarter of an hour"
  need photos/hymenoptera
  need weights/safetensors/resnet50_imagenet_caffe_conv1_to_res4f_fp16.safetensors
  pictures=hymenoptera network=resnet50_imagenet_caffe_conv1_to_res4f_fp16.safetensors
  backbone=(--weights "$network") rate=0.0003 epochs=4
  front=(--freeze conv1 --freeze bn --freeze res2 --freeze res3 --freeze res4a --freeze res4b --freeze res4c
    --freeze res4d --freeze res4e)
else
  pictures=figures network=builtin
  backbone=(--weights "$network" --cut avgpool --size 48) rate=0.003 epochs=6
  front=(--freeze conv1 --freeze bn --freeze layer)
fi
usual=(--no-augment --no-check)

section "The top" "O topo"
say "ResNet-50 (He et al. 2015, \"Deep Residual Learning\") ends in a list of 2,048 features, the means of its last maps,
and in one linear layer that makes 1,000 classes of them: the top. Without it the network is of use for any classes." \
  "A ResNet-50 (He et al. 2015, \"Deep Residual Learning\") acaba numa lista de 2048 características, as médias dos
últimos mapas, e numa camada linear que delas faz 1000 classes: o topo. Sem ele, a rede serve para quaisquer classes."
run whole enxerto summary resnet50 --json
run trunk enxerto summary resnet50 --no-top --pooling avg --json
run headed enxerto summary resnet50 --classes 6 --freeze-through avgpool --json
whole=$(value whole .parameters) trunk=$(value trunk .parameters) headed=$(value headed .parameters)
learn=$(value headed .trainable)
table "network | million parameters | of these learn" "rede | milhões de parâmetros | destes aprendem" \
  "$(words "with its top" "com o topo") | $(number "$whole / 1e6" 3) | $(number "$(value whole .trainable) / 1e6" 3)" \
  "$(words "without" "sem ele") | $(number "$trunk / 1e6" 3) | $(number "$(value trunk .trainable) / 1e6" 3)" \
  "$(words "with a new head for 6 classes, the rest frozen" "com uma cabeça nova para 6 classes, o resto congelado") | \
$(number "$headed / 1e6" 3) | $(number "$learn / 1e6" 3)"
check "The top is 1,000 x (2,048 + 1) parameters, the new head 6 x (2,048 + 1)" \
  "O topo são 1000 x (2048 + 1) parâmetros, a cabeça nova 6 x (2048 + 1)" \
  "$whole - $trunk == 1000 * 2049 and $learn == 6 * 2049 and $headed == $trunk + $learn"

section "Frozen" "Congelada"
if $real; then
  say "The weights are those of He's own ResNet-50, up to the end of its fourth stage (1,024 features); the pictures are
photographs of ants and bees, few, and like those that the network has learnt from." \
    "Os pesos são os da ResNet-50 do próprio He, até ao fim do quarto estágio (1024 características); as imagens são
fotografias de formigas e abelhas, poucas, e parecidas com aquelas com que a rede aprendeu."
else
  say "The run on this page has a small ResNet without its top, the one in the box, and outlines that gnuplot draws, with
which it has nothing to do: it learnt from photographs. (\`--real\`: ResNet-50 on photographs of ants and bees.)" \
    "Nesta página a rede é uma ResNet pequena sem topo, a que vem na caixa, e as imagens são contornos desenhados pelo
gnuplot, com que ela nada tem a ver: aprendeu com fotografias. (\`--real\`: a ResNet-50 com fotografias de formigas e
abelhas.)"
  run drawn gnuplot -c examples/figures.gnuplot figures 1 48 'train 50 val 10 test 60' \
    'corners3 corners4 corners5 petals3 petals4 petals5'
fi
run probe enxerto fit "$pictures" "${backbone[@]}" --recipe probe --c 0.1 "${usual[@]}" --out probe --json
run last enxerto fit "$pictures" "${backbone[@]}" --recipe finetune --blocks 1 --epochs 12 --lr "$rate" "${usual[@]}" \
  --out last --json
run all enxerto fit "$pictures" "${backbone[@]}" --recipe finetune --epochs $epochs --lr "$rate" "${usual[@]}" \
  --out all --json
judged=$($real && echo val || echo test)
n=$(value probe ".$judged.n")
top1_of() { value "$1" ".$judged.top1"; }
result_of() {
  local range
  range=$(value "$1" ".$judged.top1_interval|tostring")
  echo "$(percent "$(top1_of "$1")") | $(interval "$range")"
}
table "what learns | top-1 of $n pictures | 95 % interval" \
  "o que aprende | top-1 em $n imagens | intervalo de 95 %" \
  "$(words "the head" "a cabeça") | $(result_of probe)" \
  "$(words "the last block and the head" "o último bloco e a cabeça") | $(result_of last)" \
  "$(words "everything" "tudo") | $(result_of all)"
if $real; then
  say "These pictures are few, and of the kind that the network knows: frozen it is as good as anything else, and nothing
but the head has to be learnt." \
    "Estas imagens são poucas, e do género que a rede conhece: congelada é tão boa como de qualquer outra forma, e nada
há para aprender senão a cabeça."
  check "Frozen it is at most 3 points behind the network that learnt all over" \
    "Congelada fica no máximo 3 pontos atrás da rede que aprendeu toda" "$(top1_of probe) > $(top1_of all) - 0.03"
else
  say "Drawings are not what the network was made from: here it pays to let all of it learn." \
    "Desenhos não são aquilo de que a rede foi feita: aqui compensa deixá-la aprender toda."
  check "The network that learnt all over has at least 3 points more than the frozen one" \
    "A rede que aprendeu toda tem pelo menos mais 3 pontos do que a congelada" "$(top1_of all) > $(top1_of probe) + 0.03"
fi

section "The proof" "A prova"
frozen=$(value probe .transfer.layers.frozen) same=$(value probe .transfer.layers.frozen_same)
say "\`fit\` reads the saved model back and compares each frozen layer with what it began with, running means of the batch
norms included. Or look for yourself: what the trunk makes of pictures it must still make, to the last bit." \
  "\`fit\` lê o modelo guardado e compara cada camada congelada com o que era no início, médias acumuladas das batch norms
incluídas. Ou veja por si: o que o tronco faz das imagens tem de continuar a fazer, até ao último bit."
where=(--split "$judged" --no-feature-cache)
run extracted enxerto extract "$pictures" "${backbone[@]}" "${where[@]}" --out before.npy --json
run extracted enxerto extract "$pictures" --weights probe "${where[@]}" --out probe.npy --json
run extracted enxerto extract "$pictures" --weights all "${where[@]}" --out all.npy --json
run sums sha256sum before.npy probe.npy all.npy
mapfile -t sums < <(cut -c1-16 sums.json)
table "features of | begin of the SHA-256" "características de | início do SHA-256" \
  "$(words "the network as it came" "a rede como veio") | \`${sums[0]}\`" "\`probe\` | \`${sums[1]}\`" \
  "\`all\` | \`${sums[2]}\`"
check "All $frozen frozen layers are as they were" "Todas as $frozen camadas congeladas estão como eram" "$frozen == $same"
check "Under the new head the frozen trunk makes the same features, bit for bit; the one that learnt makes others" \
  "Por baixo da cabeça nova o tronco congelado dá as mesmas características, bit a bit; o que aprendeu dá outras" \
  "\"${sums[0]}\" == \"${sums[1]}\" and \"${sums[0]}\" != \"${sums[2]}\""

section "What a frozen layer costs" "Quanto custa uma camada congelada"
say "A step computes three things for a layer that learns: its answer, the gradient of its weights, and that of its
input for the layer before; each is about as many multiplications as the other. A frozen layer at the bottom has only its
answer to compute. And since that never changes, it is enough to compute it once for each picture and to keep it." \
  "Um passo calcula três coisas para uma camada que aprende: a resposta, o gradiente dos pesos e o da entrada, para a
camada anterior; cada uma custa mais ou menos as mesmas multiplicações. Uma camada congelada, em baixo, só tem de calcular
a resposta. E, como esta nunca muda, basta calculá-la uma vez por imagem e guardá-la."
run again enxerto train "$pictures" --weights probe --epochs 3 --lr 0.0003 --no-check "${front[@]}" --out again --json
run layers enxerto summary probe --json
forward=$(value layers '[.layers[].multiply_adds]|add')
trained=$(value last '[.transfer.layers.trained[].layer]|tostring')
learnt=$(value layers "[.layers[] | select(.name as \$name | $trained | index(\$name)) | .multiply_adds] | add")
speed_of() { value "$1" ".images_per_second / 32"; }
row() { echo "$1 | $(number "($2) / 1e6" 1) | $(number "$(speed_of "$3")" 1)"; }
table "what learns | million multiply-adds a picture | steps a second, this time" \
  "o que aprende | milhões de multiplicações por imagem | passos por segundo, desta vez" \
  "$(row "$(words "everything" "tudo")" "3 * $forward" all)" \
  "$(row "$(words "the last block and the head, the rest computed in each step" \
    "o último bloco e a cabeça, o resto calculado em cada passo")" "$forward + 2 * $learnt" again)" \
  "$(row "$(words "the last block and the head, the rest computed once and kept" \
    "o último bloco e a cabeça, o resto calculado uma vez e guardado")" "3 * $learnt" last)"
say "(A step is 32 pictures. In the second row the batch norms are all frozen: see below.)" \
  "(Um passo são 32 imagens. Na segunda linha as batch norms estão todas congeladas: ver abaixo.)"
check "Frozen is faster than learning, and kept is faster than computed anew" \
  "Congelado é mais rápido do que a aprender, e guardado mais rápido do que calculado de novo" \
  "$(speed_of last) > $(speed_of again) and $(speed_of again) > $(speed_of all)"

section "The trap: batch norm" "A armadilha: a batch norm"
say "Next one would thaw the network under the head that was fitted so well, with a small rate. But a batch norm computes in
two ways (Ioffe & Szegedy 2015, section 3.1): as long as it is frozen, with the mean and the deviation that it has kept
from its own training; as soon as it learns, with those of the 32 pictures at hand. Its features are others from one step
to the next, and the head was fitted to the old ones." \
  "A seguir, descongelar-se-ia a rede por baixo da cabeça tão bem ajustada, com uma taxa pequena. Mas a batch norm tem
duas maneiras de calcular (Ioffe & Szegedy 2015, secção 3.1): enquanto está congelada, com a média e o desvio que guardou
do seu próprio treino; assim que aprende, com os das 32 imagens do passo. De um passo para o outro, as características são
outras, e a cabeça foi ajustada às antigas."
norms=() rate=0.0003
if $real; then
  norms=(--freeze bn) rate=0.00003
else
  while read -r name; do norms+=(--freeze "$name"); done \
    < <(value layers '.layers[]|select(.kind=="batch_norm").name')
fi
run thawed enxerto train "$pictures" --weights probe --epochs 2 --lr $rate --no-check --out thawed --json
run held enxerto train "$pictures" --weights probe --epochs 2 --lr $rate --no-check "${norms[@]}" --out held --json
steps_of() { jq -r 'select(.kind == "step") | "\(.step) \(.loss)"' "$1/log.jsonl"; }
plot thawed "the loss after thawing" "o custo depois de descongelar" <<END
\$thawed << end
$(steps_of thawed)
end
\$held << end
$(steps_of held)
end
set title "$(words "the loss after thawing the network below a fitted head" \
  "o custo depois de descongelar a rede por baixo de uma cabeça ajustada")"
set xlabel "$(words step passo)"
set ylabel "$(words "training loss" "custo no treino")"
set logscale y
plot \$thawed with linespoints pt 7 lw 2 title "$(words "all of it" "toda")", \
  \$held with linespoints pt 5 lw 2 title "$(words "all but batch norm" "menos batch norm")"
END
thawed=$(top1_of thawed) held=$(top1_of held) probe=$(top1_of probe)
first_of() { steps_of "$1" | head -n 1 | cut -d ' ' -f 2; }
check "In the first step, before anything has learnt, the loss is larger with the mean and the deviation of the batch" \
  "No primeiro passo, antes de se aprender o que quer que seja, o custo é maior com a média e o desvio do passo" \
  "$(first_of thawed) > $(first_of held)"
if $real; then
  say "Top-1 before: $(percent "$probe"); after two epochs with everything thawed: $(percent "$thawed"); with the batch norms
left frozen: $(percent "$held"). Photographs like those that the network learnt from have nearly the mean and the deviation
that it has kept: the trap is there, and hardly snaps. On outlines, as on the page, it does." \
    "Top-1 antes: $(percent "$probe"); depois de duas épocas com tudo descongelado: $(percent "$thawed"); com as batch norms
ainda congeladas: $(percent "$held"). Fotografias como aquelas com que a rede aprendeu têm quase a média e o desvio que ela
guardou: a armadilha está lá, mas mal se fecha. Com os contornos, como na página, fecha-se."
else
  say "Top-1 before: $(percent "$probe"); after two epochs with everything thawed: $(percent "$thawed"); with the batch norms
left frozen: $(percent "$held"). (Two epochs are too few to gain by it; they are enough to lose.) So a network is thawed below a fitted head without its batch norms (as Keras's guide to
fine-tuning has it), or with a head that begins from nothing and grows up with the new features, as \`all\` above." \
  "Top-1 antes: $(percent "$probe"); depois de duas épocas com tudo descongelado: $(percent "$thawed"); com as batch norms
ainda congeladas: $(percent "$held"). (Duas épocas são poucas para ganhar; chegam para perder.) Por isso descongela-se uma rede por baixo de uma cabeça já ajustada sem as suas batch
norms (como diz o guia de fine-tuning do Keras), ou então com uma cabeça que começa do nada e cresce com as características
novas, como \`all\` acima."
  check "With the batch norms frozen the training loss is smaller, and more is right in the end" \
  "Com as batch norms congeladas o custo no treino é menor, e no fim acerta-se mais" \
    "$(value held .train_loss) < $(value thawed .train_loss) and $held > $thawed"
fi
finish
