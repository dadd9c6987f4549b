#!/usr/bin/env bash
# Features of a frozen network, given to the classifiers of the time before: SVM, logistic regression, tree, forest.
# shellcheck source=examples/lab.sh
source "${BASH_SOURCE%/*}/lab.sh"
begin "Features to heads" "Das características às cabeças" \
  "Given the features of a frozen network, which classifier is best, and how many of the features does it need?" \
  "Dadas as características de uma rede congelada, que classificador é melhor, e de quantas delas precisa?" "$@"

if $real; then
  takes "three minutes"
  need photos/clothing10
  need weights/safetensors/squeezenet1_1_imagenet.safetensors
  pictures=clothing10 backbone="--weights squeezenet1_1_imagenet.safetensors"
else
  pictures=figures backbone="--weights builtin --size 64"
fi

section "The features" "As características"
if $real; then
  say "The lecture takes VGG for this; here it is SqueezeNet 1.1 (Iandola et al. 2016), whose weights the data of this
project have: like VGG a network without batch norm, with fewer parameters. The pictures are ten garments." \
    "A aula usa a VGG; aqui é a SqueezeNet 1.1 (Iandola et al. 2016), cujos pesos estão nos dados deste projeto: como a
VGG, uma rede sem batch norm, com menos parâmetros. As imagens são dez peças de roupa."
else
  say "The lecture takes VGG for this; here it is the small network in the box, which learnt from photographs, and gnuplot
draws the pictures: outlines with three to six corners or petals. (\`--real\`: SqueezeNet on photographs of garments; for VGG
itself, \`enxerto pull vgg16\`, then \`--weights vgg16\`.)" \
    "A aula usa a VGG; aqui é a rede pequena que vem na caixa, que aprendeu com fotografias, e é o gnuplot que desenha as
imagens: contornos com três a seis vértices ou pétalas. (\`--real\`: a SqueezeNet com fotografias de roupa; para a própria
VGG, \`enxerto pull vgg16\`, depois \`--weights vgg16\`.)"
  run drawn gnuplot -c examples/figures.gnuplot figures 1 48 'train 60 test 60' \
    'corners3 corners4 corners5 corners6 petals3 petals4 petals5 petals6'
fi
run_script <<END
enxerto extract $pictures $backbone --split train --out x.npy --labels y.npy --json >train.json
enxerto extract $pictures $backbone --split test --out x_test.npy --labels y_test.npy --json >test.json
END
features=$(value train .features) rows=$(value train .n) judged=$(value test .n) classes=$(value train '.classes|length')
say "Each picture is now a row of $features numbers, $rows rows to learn from and $judged to judge by, of $classes classes.
The network has done its part; what follows is a matter of seconds." \
  "Cada imagem é agora uma linha de $features números, $rows linhas para aprender e $judged para avaliar, de $classes classes.
A rede fez a sua parte; o que se segue é questão de segundos."

section "Four heads" "Quatro cabeças"
say "Logistic regression and the linear SVM draw one plane for each class; they differ in what they make small (the
cross entropy; the squared hinge, Cortes & Vapnik 1995). C is how much that weighs against small weights. A tree asks one
feature after another (Breiman et al. 1984); a forest lets a hundred trees vote, each grown on other rows, and at each
split on other columns (Breiman 2001). Then the same on the first 50 principal components." \
  "A regressão logística e a SVM linear traçam um plano por classe; diferem no que tornam pequeno (a entropia cruzada; a
hinge ao quadrado, Cortes & Vapnik 1995). C diz quanto isso pesa contra pesos pequenos. Uma árvore pergunta por uma
característica de cada vez (Breiman et al. 1984); uma floresta deixa votar cem árvores, cada uma criada com outras linhas e,
em cada divisão, com outras colunas (Breiman 2001). Depois, o mesmo com as primeiras 50 componentes principais."
run_script <<'END'
for pca in 0 50; do
  enxerto head x.npy y.npy --head logistic --c 0.01 --pca $pca --test x_test.npy y_test.npy --json >logistic-$pca.json
  enxerto head x.npy y.npy --head svm --c 0.01 --pca $pca --test x_test.npy y_test.npy --json >svm-$pca.json
  enxerto head x.npy y.npy --head tree --pca $pca --test x_test.npy y_test.npy --json >tree-$pca.json
  enxerto head x.npy y.npy --head forest --pca $pca --test x_test.npy y_test.npy --json >forest-$pca.json
done
END
right() { value "$1" .test_accuracy; }
row() {
  local all few
  all=$(value "$1-0" '.test_accuracy_interval|tostring') few=$(value "$1-50" '.test_accuracy_interval|tostring')
  echo "$2 | $(percent "$(value "$1-0" .train_accuracy)") | $(percent "$(right "$1-0")") ($(interval "$all")) |" \
    "$(percent "$(right "$1-50")") ($(interval "$few"))"
}
table "head | training rows right | test rows right (95 % interval) | with 50 components" \
  "cabeça | acerta no treino | acerta no teste (intervalo de 95 %) | com 50 componentes" \
  "$(row logistic "$(words "logistic regression" "regressão logística")")" "$(row svm SVM)" \
  "$(row tree "$(words tree árvore)")" "$(row forest "$(words forest floresta)")"
say "A tree has every training row right and learnt them by heart: one feature says little, and after few questions there
are few rows left to ask. The planes use all features at once, the forest many trees that err in different places." \
  "Uma árvore acerta em todas as linhas do treino, e sabe-as de cor: uma característica diz pouco, e ao fim de poucas
perguntas já restam poucas linhas a quem perguntar. Os planos usam todas as características de uma vez, a floresta muitas
árvores que erram em sítios diferentes."
check "The tree has all training rows right" "A árvore acerta em todas as linhas do treino" \
  "$(value tree-0 .train_accuracy) == 1"
check "Logistic regression beats the tree by at least 5 points" \
  "A regressão logística bate a árvore por 5 pontos ou mais" "$(right logistic-0) > $(right tree-0) + 0.05"
check "The forest beats the tree by at least 5 points" "A floresta bate a árvore por 5 pontos ou mais" \
  "$(right forest-0) > $(right tree-0) + 0.05"

section "How many components" "Quantas componentes"
components=(2 5 10 20 50 100 200 400)
run_script <<END
for pca in ${components[*]}; do
  for head in 'logistic --c 0.01' forest; do
    enxerto head x.npy y.npy --head \$head --pca \$pca --test x_test.npy y_test.npy --json >"\${head%% *}-\$pca.json"
  done
done
END
curve() { for k in "${components[@]}"; do echo "$k $(right "$1-$k")"; done; }
plot components "test accuracy by the number of principal components" \
  "exatidão no teste, pelo número de componentes principais" <<END
\$logistic << end
$(curve logistic)
end
\$forest << end
$(curve forest)
end
set title "$(words "test accuracy by the number of principal components" \
  "exatidão no teste, pelo número de componentes principais")"
set xlabel "$(words components componentes)"
set ylabel "%"
set logscale x; set xrange [1.8:450]; set xtics (2, 5, 10, 20, 50, 100, 200, 400)
plot \$logistic using 1:(100 * \$2) with linespoints pt 7 lw 2 title "$(words "logistic regression" "regressão logística")", \
  \$forest using 1:(100 * \$2) with linespoints pt 5 lw 2 title "$(words forest floresta)"
END
explained=$(value logistic-50 .pca.explained_variance)
say "Principal components (Pearson 1901) are the directions in which the rows differ most. The first 50 hold
$(percent "$explained" 0) of the variance of the $features features, standardised, and nearly all that logistic regression can
use: the features say the same thing many times over. More components do it no harm, because small weights are cheap. To the
forest they do: each split looks at so many columns at random as the root of their number, and behind the first components
come hundreds in which there is nothing but noise. On the $features features themselves it has no such trouble: each of them
says something." \
  "As componentes principais (Pearson 1901) são as direções em que as linhas mais diferem. As primeiras 50 guardam
$(percent "$explained" 0) da variância das $features características, padronizadas, e quase tudo o que a regressão logística
consegue usar: as características dizem muitas vezes o mesmo. Mais componentes não lhe fazem mal, porque pesos pequenos
custam pouco. À floresta fazem: cada divisão olha, à sorte, para tantas colunas quantas a raiz quadrada do número delas, e
atrás das primeiras componentes vêm centenas em que só há ruído. Com as próprias $features características não tem esse
problema: cada uma delas diz alguma coisa."
check "50 components cost logistic regression at most 5 points" \
  "50 componentes custam à regressão logística no máximo 5 pontos" "$(right logistic-50) > $(right logistic-0) - 0.05"
check "400 components cost the forest at least 5 points" "400 componentes custam à floresta 5 pontos ou mais" \
  "$(right forest-400) < $(right forest-0) - 0.05"
finish
