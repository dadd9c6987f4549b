#!/usr/bin/env bash
# A trained network with a new head: first the head alone, then the last blocks with a small rate.
# shellcheck source=examples/lab.sh
source "${BASH_SOURCE%/*}/lab.sh"
begin "MobileNetV3 with a new head" "MobileNetV3 com uma cabeça nova" \
  "What does a trained network need to learn new classes: only another head, or should layers of its own learn too?" \
  "De que precisa uma rede treinada para aprender classes novas: só de outra cabeça, ou devem aprender também camadas \
suas?" "$@"

if $real; then
  takes "ten minutes"
  need photos/flowers5
  need weights/onnx/mobilenet_v3_large_minimalistic_imagenet.onnx
  pictures=flowers5 last=2
  flags=(--weights mobilenet_v3_large_minimalistic_imagenet.onnx --recipes "probe,warmup+finetune,finetune" --epochs 4
    --seeds 1)
else
  pictures=figures last=1
  flags=(--weights builtin --cut avgpool --size 48 --recipes "probe,finetune" --blocks 5 --epochs 6 --lr 0.003
    --no-augment --c 0.1 --no-check --seeds 2)
fi

section "The pictures and the network" "As imagens e a rede"
if $real; then
  say "Photographs of five flowers, and MobileNetV3 (Howard et al. 2019, \"Searching for MobileNetV3\") in its
minimalistic form, which has learnt the 1,000 classes of ImageNet." \
    "Fotografias de cinco flores, e a MobileNetV3 (Howard et al. 2019, \"Searching for MobileNetV3\") na forma
minimalista, que aprendeu as 1000 classes do ImageNet."
else
  say "Outlines of polygons and of flowers; the class is the number of corners or of petals. The network is the small one
in the box, which was trained on photographs and has seen nothing of this kind. (With \`--real\` it is MobileNetV3 on
photographs of flowers; that takes longer.)" \
    "Contornos de polígonos e de flores; a classe é o número de vértices ou de pétalas. A rede é a pequena que vem na
caixa, treinada com fotografias, que nunca viu nada deste género. (Com \`--real\` é a MobileNetV3 sobre fotografias de
flores, o que demora mais.)"
  run figures gnuplot -c examples/figures.gnuplot figures 1 48 'train 50 val 10 test 60' \
    'corners3 corners4 corners5 petals3 petals4 petals5'
fi
run sheet enxerto preview "$pictures" --size 64 --count 25 --out pictures.png --json
picture pictures.png "some of the training pictures" "algumas das imagens de treino"

section "Which is better, and is it chance?" "Qual é melhor, e será acaso?"
if $real; then
  say "\`probe\` freezes all of the network and fits a logistic regression to its features: that becomes the new head.
\`warmup+finetune\` begins with this head and frees layers from the back, with rates that fall towards the input
(Howard & Ruder 2018, \"Universal Language Model Fine-tuning for Text Classification\", section 3). \`finetune\` begins
with a head at random and trains everything from the first step on." \
    "\`probe\` congela a rede toda e ajusta às suas características uma regressão logística, que passa a ser a cabeça
nova. \`warmup+finetune\` começa com essa cabeça e liberta camadas de trás para a frente, com taxas que diminuem em
direção à entrada (Howard & Ruder 2018, \"Universal Language Model Fine-tuning for Text Classification\", secção 3).
\`finetune\` começa com uma cabeça ao acaso e treina tudo desde o primeiro passo."
else
  say "\`probe\` freezes all of the network and fits a logistic regression to its features: that becomes the new head.
\`finetune\` begins with a head at random and trains it together with the last \`--blocks\`; \`--lr\` is the highest
rate, which AdamW (Loshchilov & Hutter 2019) is given in the middle of the run." \
    "\`probe\` congela a rede toda e ajusta às suas características uma regressão logística, que passa a ser a cabeça
nova. \`finetune\` começa com uma cabeça ao acaso e treina-a juntamente com os últimos blocos (\`--blocks\`); \`--lr\` é a
taxa mais alta, que o AdamW (Loshchilov & Hutter 2019) recebe a meio do treino."
fi
run comparison enxerto compare "$pictures" "${flags[@]}" --out comparison --json
n=$(value comparison .n)
rows=()
for ((i = 0; i <= last; ++i)); do
  recipe=$(value comparison ".recipes[$i].recipe") top1=$(value comparison ".recipes[$i].top1")
  range=$(value comparison ".recipes[$i].top1_interval|tostring")
  rows+=("$recipe | $(percent "$top1") | $(interval "$range")")
done
table "recipe | top-1 of $n test pictures | 95 % interval" "receita | top-1 em $n imagens de teste | intervalo de 95 %" \
  "${rows[@]}"
say "The intervals say how far each accuracy would be from that of other test pictures and other seeds. But both recipes
were given the *same* pictures: most of them both have right, or both wrong, and these tell nothing. What tells are the
pictures that only one has right (McNemar 1947; Dietterich 1998, \"Approximate Statistical Tests\"): such a test finds
differences that two intervals side by side cannot show." \
  "Os intervalos dizem quão longe estaria cada exatidão com outras imagens de teste e outras sementes. Mas as receitas
receberam as *mesmas* imagens: na maioria acertam ambas, ou falham ambas, e essas nada dizem. O que conta são as imagens
em que só uma acerta (McNemar 1947; Dietterich 1998, \"Approximate Statistical Tests\"): um teste assim encontra
diferenças que dois intervalos lado a lado não mostram."
rows=()
for ((i = 0; i < $(value comparison '.pairs|length'); ++i)); do
  first=$(value comparison ".pairs[$i].first") second=$(value comparison ".pairs[$i].second")
  only_first=$(value comparison ".pairs[$i].only_first") only_second=$(value comparison ".pairs[$i].only_second")
  p=$(value comparison ".pairs[$i].p_adjusted")
  rows+=("$first, $second | $(percent "$only_first") | $(percent "$only_second") | $(chance "$p")")
done
table "pair | only the first right | only the second right | by chance" \
  "par | só a primeira acerta | só a segunda acerta | por acaso" "${rows[@]}"
better=$(value comparison '.pairs[]|select(.first=="probe" and .second=="finetune").verdict')
check "\`finetune\` is better than \`probe\`, and that is not chance (p < 0.05)" \
  "\`finetune\` é melhor do que \`probe\`, e não por acaso (p < 0,05)" "\"$better\" == \"second better\""

section "What learnt, and how far it went" "O que aprendeu, e até onde foi"
cut=$(value comparison/probe-0/result .transfer.cut)
run summary enxerto summary comparison/probe-0 --freeze-through "$cut" --json
all=$(value summary .parameters) learn=$(value summary .trainable)
features=$(value comparison/probe-0/result .transfer.features)
classes=$(value comparison/probe-0/result '.test.classes|length')
say "Of the probe's $(number "$all / 1e6" 2) million parameters $(number "$learn") learn: the head's, a weight for each of $features
features and a bias, for each of $classes classes." \
  "Dos $(number "$all / 1e6" 2) milhões de parâmetros da sonda (\`probe\`) aprendem $(number "$learn"): os da cabeça, um peso por cada uma das
$features características e um viés, para cada uma das $classes classes."
check "That is $classes x ($features + 1)" "Isto é $classes x ($features + 1)" "$learn == $classes * ($features + 1)"
run_of() { value "comparison/$1-0/result" "$2"; }
frozen=$(run_of probe .transfer.layers.frozen) same=$(run_of probe .transfer.layers.frozen_same)
check "The file of the model has all $frozen frozen layers as they were, bit for bit" \
  "O ficheiro do modelo tem todas as $frozen camadas congeladas tal como eram, bit a bit" "$frozen == $same"

# The convolutions that learnt, counted from the input, and how far they moved.
moved() {
  jq -r --slurpfile summary summary.json '.transfer.layers.trained as $trained
    | [$summary[0].layers[] | select(.kind == "conv2d").name] | to_entries[] | . as $each
    | $trained[] | select(.layer == $each.value) | "\($each.key + 1) \(.moved)"' "$1/result.json"
}
farthest='[.transfer.layers.trained[] | select(.layer != "head" and .moved) | .moved] | max'
if $real; then
  tuned=comparison/warmup+finetune-0 other=comparison/finetune-0
  names=("warmup+finetune" finetune)
else
  say "The same once more with a hundred times the rate:" "O mesmo mais uma vez, com uma taxa cem vezes maior:"
  run large enxerto fit figures --weights builtin --cut avgpool --size 48 --recipe finetune --blocks 5 --epochs 6 \
    --lr 0.3 --no-augment --no-check --out large --json
  tuned=comparison/finetune-0 other=large
  names=("--lr 0.003" "--lr 0.3")
fi
plot moved "how far each convolution that learnt moved" "quanto se moveu cada convolução que aprendeu" <<END
\$tuned << end
$(moved "$tuned")
end
\$other << end
$(moved "$other")
end
set title "$(words "how far each convolution that learnt moved" "quanto se moveu cada convolução que aprendeu")"
set xlabel "$(words "convolution, counted from the input" "convolução, contada da entrada")"
set ylabel "$(words "distance / length of the weights" "distância / comprimento dos pesos")"
set logscale y; set xrange [0:*]
plot \$tuned with linespoints pt 7 lw 2 title "${names[0]}", \$other with linespoints pt 5 lw 2 title "${names[1]}"
END
near=$(value "$tuned/result" "$farthest")
if $real; then
  ends='[.transfer.layers.trained[] | select(.layer != "head" and .moved) | .moved] | .[0:5], .[-5:] | add / length'
  mapfile -t ends < <(value "$tuned/result" "$ends")
  check "With falling rates the last five layers that learnt moved further than the first five" \
    "Com taxas decrescentes, as últimas cinco camadas que aprenderam moveram-se mais do que as primeiras cinco" \
    "${ends[1]} > ${ends[0]}"
else
  far=$(value large "$farthest") small_top1=$(value comparison '.recipes[1].top1') large_top1=$(value large .test.top1)
  say "A layer's distance is the length of the difference between its weights before and after, divided by the length of
those before. With the small rate what was learnt from photographs is still there, and only bent a little: no layer moved
further than $(percent "$near" 0) of its length. With the large one a layer goes up to $(number "$far" 1) times its own
length away: what it had learnt is overwritten, and $(percent "$large_top1") of the test pictures are right instead of
$(percent "$small_top1")." \
    "A distância de uma camada é o comprimento da diferença entre os pesos antes e depois, dividido pelo comprimento dos
de antes. Com a taxa pequena, o que se aprendeu com fotografias continua lá, só um pouco torcido: nenhuma camada se moveu
mais de $(percent "$near" 0) do seu comprimento. Com a grande, uma camada chega a afastar-se $(number "$far" 1) vezes o seu
próprio comprimento: o que tinha aprendido perde-se, e acerta-se em $(percent "$large_top1") das imagens de teste em vez de
$(percent "$small_top1")."
  check "With the small rate every layer stays within half its length; with the large rate one moves further than all of it" \
    "Com a taxa pequena nenhuma camada se afasta mais de metade do seu comprimento; com a grande há uma que se afasta mais \
do que todo ele" "$near < 0.5 and $far > 1"
  check "The large rate has fewer test pictures right" "A taxa grande acerta em menos imagens de teste" \
    "$large_top1 < $small_top1"
fi
finish
