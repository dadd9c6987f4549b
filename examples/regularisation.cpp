// Penalties, dropout and early stopping: what each does to the weights, and to the gap between training and
// validation.
#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numeric>

#include "enxerto/core/text.h"
#include "enxerto/data/open.h"
#include "enxerto/train/loss.h"
#include "enxerto/train/metrics.h"
#include "examples/lab.h"
#include "examples/training.h"

namespace enxerto::lab {
namespace {

constexpr int features = 40, useful = 2;

/// Normal numbers, `features` to a point; the class is the sign of the first two's sum, wrong in one of ten.
Batch make_points(std::int64_t count, std::uint64_t seed) {
  Batch points;
  points.images = Tensor({.n = count, .c = features});
  auto to = points.images.data().begin();
  Rng rng(seed);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto first = to;
    for (int f = 0; f < features; ++f) *to++ = rng.normal();
    const bool right = rng.uniform() >= 0.1f, positive = first[0] + first[1] > 0;
    points.labels.push_back(positive == right);
    points.indices.push_back(i);
  }
  return points;
}

/// Loss and share of right answers of a trained network, without dropout.
struct Score {
  double loss = 0, right = 0;
};
Score score(const Graph& net, const Batch& batch) {
  Executor executor(net, {.batch = static_cast<int>(batch.labels.size())});
  const ConstView outputs = executor.forward(batch.images.view());
  Score made{.loss = cross_entropy({}, outputs, batch.labels)};
  const auto classes = static_cast<std::size_t>(outputs.shape.c);
  for (std::size_t i = 0; i < batch.labels.size(); ++i)
    made.right += rank_of(outputs.data.subspan(i * classes, classes), batch.labels[i]) == 0;
  made.right /= static_cast<double>(batch.labels.size());
  return made;
}

struct Method {
  Text name;
  Penalty penalty = {};
  float dropout = 0;
  int patience = 0;
};

/// What the weights of a linear model are after its training, {2, features}.
std::vector<double> learn_weights(const Batch& data, const Penalty& penalty, double lr, std::uint64_t seed) {
  constexpr int steps = 2000;
  Graph net = make_mlp(features, {2});
  net.init({}, Rng(seed));
  TrainConfig config = fixed_rate(steps, Sgd{}, lr);
  config.penalty = penalty;
  std::vector<double> weights;
  train_steps(net, data, config, [&](const EpochReport& report, const Graph& now) {
    if (report.epoch < steps) return;
    const auto values = now.find_param("fc1.weight")->value.data();
    weights.assign(values.begin(), values.end());
  });
  return weights;
}

/// How far a feature speaks for class 1 rather than class 0.
double pull(const std::vector<double>& weights, std::size_t feature) {
  return std::abs(weights[features + feature] - weights[feature]);
}

double share_below(const std::vector<double>& weights, double bound) {
  const auto below = std::ranges::count_if(weights, [&](double weight) { return std::abs(weight) < bound; });
  return static_cast<double>(below) / static_cast<double>(weights.size());
}

double norm_of(const std::vector<double>& weights) {
  return std::sqrt(std::inner_product(weights.begin(), weights.end(), weights.begin(), 0.0));
}

/// How many weights have a size from 10^(k / 4) to 10^((k + 1) / 4).
Series histogram(const Text& name, const std::vector<double>& weights) {
  Series series{.name = name, .x = {}, .y = {}};
  for (int k = -20; k < 4; ++k) {
    const double low = std::pow(10, k / 4.0), high = std::pow(10, (k + 1) / 4.0);
    series.x.push_back(std::sqrt(low * high));
    series.y.push_back(static_cast<double>(std::ranges::count_if(
        weights, [&](double weight) { return std::abs(weight) >= low && std::abs(weight) < high; })));
  }
  return series;
}

void on_weights(Lab& lab) {
  lab.section({"What penalties do to weights", "O que as penalizações fazem aos pesos"});
  lab.say({text("A hundred points of ", features,
                " normal numbers; the class is the sign of the sum of the first ", useful,
                ", and one label in ten is wrong. The other ", features - useful,
                " numbers say nothing, but a linear model (", 2 * features,
                " weights and a softmax) finds something in them all the same. A penalty is added to the "
                "loss (enxerto/train/penalty.h):"),
           text("Cem pontos de ", features, " números normais; a classe é o sinal da soma dos primeiros ",
                useful, ", e uma etiqueta em dez está errada. Os outros ", features - useful,
                " números não dizem nada, mas um modelo linear (", 2 * features,
                " pesos e um softmax) encontra neles alguma coisa à mesma. Soma-se à perda uma penalização "
                "(enxerto/train/penalty.h):")});
  lab.say({"    l1 sum |w| + (l2 / 2) sum w^2      whose gradient is      l1 sign(w) + l2 w",
           "    l1 soma |w| + (l2 / 2) soma w^2      cujo gradiente é      l1 sinal(w) + l2 w"});
  lab.say(
      {"L2 (ridge) pulls in proportion to the weight: large ones much, small ones hardly, none to 0. L1 "
       "(lasso, Tibshirani 1996) pulls all alike, however small: what the data do not hold up ends at 0. "
       "The elastic net (Zou & Hastie 2005) does both; here half and half. (A step of SGD is lr l1 long "
       "even at 0, so that zeros swing about it: what is below two such steps counts as zero here.)",
       "A L2 (ridge) puxa em proporção do peso: muito os grandes, quase nada os pequenos, nenhum até 0. A "
       "L1 (lasso, Tibshirani 1996) puxa todos por igual, por pequenos que sejam: o que os dados não "
       "seguram acaba em 0. A elastic net (Zou & Hastie 2005) faz ambas as coisas; aqui metade de cada. "
       "(Um passo do SGD mede lr l1 mesmo em 0, e por isso os zeros oscilam à volta dele: aqui conta como "
       "zero o que está abaixo de dois desses passos.)"});
  constexpr double alpha = 0.05, lr = 0.1, zero = 2 * lr * alpha;
  const Batch data = make_points(100, lab.seed());
  const std::array<Method, 4> methods{Method{{"none", "nenhuma"}}, Method{"L1", {.l1 = alpha}},
                                      Method{"elastic net", elastic_net(alpha, 0.5)},
                                      Method{"L2", {.l2 = alpha}}};
  Plot sizes{.title = {"Weights by their size", "Pesos por tamanho"},
             .x_name = {"size of the weight", "tamanho do peso"},
             .y_name = {"how many", "quantos"},
             .series = {},
             .log_x = true};
  Plot by_feature{.title = {"What each number counts", "Quanto conta cada número"},
                  .x_name = {"number (the first two matter)", "número (contam os dois primeiros)"},
                  .y_name = {"weight of class 1 less that of class 0, size",
                             "peso da classe 1 menos o da classe 0, tamanho"},
                  .series = {},
                  .commands = text("set xrange [0:", features + 1, "]")};
  std::vector<std::vector<std::string>> rows;
  std::vector<std::vector<double>> all;
  for (const Method& method : methods) {
    const std::vector<double>& weights =
        all.emplace_back(learn_weights(data, method.penalty, lr, lab.seed()));
    sizes.series.push_back(histogram(method.name, weights));
    Series points{.name = method.name, .x = {}, .y = {}, .points = true};
    for (std::size_t f = 0; f < features; ++f) {
      points.x.push_back(static_cast<double>(f + 1));
      points.y.push_back(pull(weights, f));
    }
    by_feature.series.push_back(std::move(points));
    rows.push_back({lab.in_language(method.name), lab.percent(share_below(weights, zero), 0),
                    lab.number(norm_of(weights), 2),
                    lab.number(std::max(pull(weights, 0), pull(weights, 1)), 2)});
  }
  lab.plot("sizes", {"a histogram of the weights' sizes", "um histograma dos tamanhos dos pesos"}, sizes);
  lab.plot("by_feature", {"what each of the numbers counts", "quanto conta cada um dos números"}, by_feature);
  lab.table(
      {{"penalty", "penalização"},
       {text("zeros (below ", lab.number(zero, 2), ")"), text("zeros (abaixo de ", lab.number(zero, 2), ")")},
       {"norm of the weights", "norma dos pesos"},
       {"largest of the first two", "maior dos dois primeiros"}},
      rows);
  const double none = share_below(all[0], zero), l1 = share_below(all[1], zero),
               both = share_below(all[2], zero), l2 = share_below(all[3], zero);
  lab.check({"L1 makes more than half of the weights zeros, L2 less than a quarter, without a penalty "
             "there are hardly any; the elastic net lies between",
             "A L1 faz de mais de metade dos pesos zeros, a L2 de menos de um quarto, e sem penalização "
             "quase não há; a elastic net fica entre elas"},
            l1 > 0.5 && l2 < 0.25 && none < 0.1 && both > l2 && both < l1);
  lab.check({"L2 makes all weights together smaller than half of what they are without",
             "A L2 deixa os pesos todos juntos com menos de metade do que são sem ela"},
            norm_of(all[3]) < norm_of(all[0]) / 2);
  bool found = true;
  for (std::size_t f = useful; f < features; ++f)
    found = found && pull(all[1], f) < std::max(pull(all[1], 0), pull(all[1], 1));
  lab.check({"With L1 the number that counts most is one of the two that matter",
             "Com a L1 o número que mais conta é um dos dois que importam"},
            found);
}

/// Data for the gap: to learn from, to stop by, and to judge by.
struct Sets {
  Batch train, val, test;
  std::int64_t classes = 2;
};

Batch pictures_of(const std::shared_ptr<const Dataset>& data, std::int64_t first, std::int64_t count) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(count));
  std::iota(indices.begin(), indices.end(), first);
  const Subset some(data, indices);
  Loader loader(some, {.batch = static_cast<int>(count),
                       .preprocess = Preprocess::of(Normalization::mnist, 28, 28, 1),
                       .augment = {}});
  loader.start(1);
  Batch batch;
  loader.next(batch);
  return batch;
}

/// One label in ten becomes another.
void spoil_labels(Batch& batch, std::int32_t classes, Rng rng) {
  for (std::int32_t& label : batch.labels)
    if (rng.uniform() < 0.1f)
      label = (label + 1 + static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(classes - 1)))) %
              classes;
}

Sets make_sets(const Lab& lab) {
  if (!lab.real())
    return {make_points(100, lab.seed()), make_points(300, lab.seed() + 1000),
            make_points(2000, lab.seed() + 2000)};
  const Splits mnist = open_data(lab.data("mnist"));
  Sets sets{pictures_of(mnist.train, 0, 500), pictures_of(mnist.train, 500, 500),
            pictures_of(mnist.test, 0, 5000), 10};
  std::uint64_t set = 0;
  for (Batch* batch : {&sets.train, &sets.val, &sets.test})
    spoil_labels(*batch, 10, Rng(lab.seed()).child(++set));
  return sets;
}

/// A training of a network with one hidden layer, and what it was worth at its end.
struct Course {
  std::vector<double> train, val;  ///< losses step by step
  Score on_train, on_test;
};

Course follow(const Sets& sets, const Method& method, int steps, std::uint64_t seed) {
  Graph net;
  const Shape& in = sets.train.images.shape();
  net.input({.c = in.c, .h = in.h, .w = in.w});
  net.add("drop1", Dropout{.p = method.dropout}, {net.last()});
  net.add("fc1", Linear{.out = 64}, {net.last()});
  net.add("act1", Activate{}, {net.last()});
  net.add("drop2", Dropout{.p = method.dropout}, {net.last()});
  net.add("fc2", Linear{.out = static_cast<int>(sets.classes)}, {net.last()});
  net.init({}, Rng(seed));
  TrainConfig config = fixed_rate(steps, Sgd{}, 0.1);
  config.seed = seed;
  config.penalty = method.penalty;
  config.metric = Metric::val_loss;
  config.patience = method.patience;
  Course course;
  Graph last;
  course.train = train_steps(
      net, sets.train, config,
      [&](const EpochReport& report, const Graph& now) {
        course.val.push_back(report.val->loss);
        if (report.epoch == steps) last = now.clone();
      },
      &sets.val);
  // train() leaves the best epoch's weights in the graph: that is early stopping. The others are judged as
  // they end.
  const Graph& ended = method.patience > 0 ? net : last;
  course.on_train = score(ended, sets.train);
  course.on_test = score(ended, sets.test);
  return course;
}

Series line_of(const Text& name, const std::vector<double>& losses) {
  Series line{.name = name, .x = {}, .y = {}};
  for (std::size_t step = 0; step < losses.size(); step += 5) {
    line.x.push_back(static_cast<double>(step + 1));
    line.y.push_back(losses[step]);
  }
  return line;
}

void on_the_gap(Lab& lab) {
  lab.section({"The gap between training and new data", "A distância entre o treino e dados novos"});
  const Sets sets = make_sets(lab);
  const bool real = lab.real();
  const int steps = real ? 400 : 800;
  lab.say({text(real ? "500 pictures of MNIST" : "The same points",
                ", one label in ten wrong, and a network with one hidden layer of 64 (ReLU). Dropout "
                "(Srivastava et al. 2014) sets half of the inputs and of the hidden neurons to 0, others "
                "in each step, so that none can rely on another. Early stopping (Prechelt 1998) ends where "
                "the loss of validation has not fallen for 20 steps, and takes the best weights until then."),
           text(real ? "500 imagens do MNIST" : "Os mesmos pontos",
                ", uma etiqueta em dez errada, e uma rede com uma camada escondida de 64 (ReLU). O dropout "
                "(Srivastava et al. 2014) põe a 0 metade das entradas e dos neurónios escondidos, outros "
                "em cada passo, para que nenhum possa contar com outro. A paragem antecipada (early "
                "stopping, Prechelt 1998) termina quando a perda de validação não desce há 20 passos e "
                "fica com os melhores pesos até aí.")});
  const double alpha = real ? 0.005 : 0.01;
  const std::array<Method, 6> methods{
      Method{{"none", "nada"}},
      Method{"L1", {.l1 = alpha}},
      Method{"elastic net", elastic_net(2 * alpha, 0.5)},
      Method{"L2", {.l2 = 5 * alpha}},
      Method{.name = "dropout", .dropout = 0.5f},
      Method{.name = {"early stopping", "paragem antecipada"}, .patience = 20}};
  Plot plot{.title = {"Loss of validation", "Perda de validação"},
            .x_name = {"step", "passo"},
            .y_name = {"loss", "perda"},
            .series = {}};
  std::vector<std::vector<std::string>> rows;
  std::vector<Course> courses;
  for (const Method& method : methods) {
    const Course& course = courses.emplace_back(follow(sets, method, steps, lab.seed()));
    plot.series.push_back(line_of(method.name, course.val));
    rows.push_back({lab.in_language(method.name), text(course.train.size()),
                    lab.number(course.on_train.loss, 3), lab.number(course.on_test.loss, 3),
                    lab.number(course.on_test.loss - course.on_train.loss, 3),
                    lab.percent(course.on_train.right, 0), lab.percent(course.on_test.right, 0)});
  }
  plot.series.push_back(
      line_of({"none, on the training data", "nada, nos dados de treino"}, courses[0].train));
  lab.plot("gap", {"the loss of validation, step by step", "a perda de validação, passo a passo"}, plot);
  lab.table({{"method", "método"},
             {"steps", "passos"},
             {"loss, training", "perda, treino"},
             {"loss, new", "perda, novos"},
             {"gap", "distância"},
             {"right, training", "certas, treino"},
             {"right, new", "certas, novos"}},
            rows);
  lab.say(
      {"\"New\" are data that neither trained nor stopped anything; nine of ten of their labels are right, "
       "so that is the most that can be had. The losses are those of the data alone, without the penalty. "
       "(Early stopping watches the loss here; more may be right later on, while the loss already rises.)",
       "\"Novos\" são dados que não treinaram nem pararam nada; nove em dez das suas etiquetas estão "
       "certas, e mais do que isso não se pode ter. As perdas são só as dos dados, sem a penalização. (A "
       "paragem antecipada olha aqui para a perda; mais tarde pode haver mais respostas certas, quando a "
       "perda já sobe.)"});
  const double gap = courses[0].on_test.loss - courses[0].on_train.loss;
  lab.check({"Without any, the network learns the wrong labels too: more than 95 % of the training data "
             "right, far fewer of the new",
             "Sem nada, a rede aprende também as etiquetas erradas: mais de 95 % certas no treino, muito "
             "menos nos novos"},
            courses[0].on_train.right > 0.95 && courses[0].on_test.right < 0.9);
  lab.check({"Each of the five makes the gap smaller by a quarter or more, and the loss on new data too",
             "Cada um dos cinco reduz a distância de um quarto ou mais, e também a perda em dados novos"},
            std::all_of(courses.begin() + 1, courses.end(), [&](const Course& course) {
              return course.on_test.loss - course.on_train.loss < 0.75 * gap &&
                     course.on_test.loss < courses[0].on_test.loss;
            }));
}

/// Two weights of 1 after 1000 steps; their gradients swing about 0, by 10 and by 0.1, so that only the decay
/// remains.
std::array<double, 2> decayed(const OptimizerConfig& config, const Penalty& penalty, double lr) {
  std::array<float, 2> weights{1, 1}, gradient{};
  const std::array<Update, 1> updates{Update{.name = "weights", .value = weights, .grad = gradient}};
  const auto optimizer = make_optimizer(config, updates);
  for (int step = 0; step < 1000; ++step) {
    const float sign = step % 2 ? -1 : 1;
    gradient = {10 * sign, 0.1f * sign};
    optimizer->step(updates, lr, {.penalty = penalty});
  }
  return {weights[0], weights[1]};
}

void decay(Lab& lab) {
  lab.section({"L2 is not weight decay", "L2 não é weight decay"});
  lab.say(
      {"The L2 penalty is a part of the gradient: what an optimizer does to gradients it does to it. "
       "Decoupled weight decay (Loshchilov & Hutter 2019) shrinks the weights beside the step, w -= lr "
       "decay w; it is a value of Sgd, Momentum, Nesterov and AdamW. With SGD both are the same. Adam "
       "divides by the size of the gradients: with L2 a weight with large gradients hardly decays. Two "
       "weights start at 1, with gradients that swing by 10 and by 0.1; 1000 steps with the rate 0.01, "
       "decay 0.05:",
       "A penalização L2 é uma parte do gradiente: o que um otimizador faz aos gradientes também lhe faz a "
       "ela. O weight decay desligado do gradiente (decoupled, Loshchilov & Hutter 2019) encolhe os pesos "
       "ao lado do passo, w -= lr decay w; é um valor de Sgd, Momentum, Nesterov e AdamW. Com o SGD são a "
       "mesma coisa. O Adam divide pelo tamanho dos gradientes: com L2, um peso de gradientes grandes "
       "quase não decai. Dois pesos começam em 1, com gradientes que oscilam 10 e 0,1; 1000 passos com "
       "taxa 0,01 e decay 0,05:"});
  constexpr double lr = 0.01, rate = 0.05;
  const auto sgd = decayed(Sgd{}, {.l2 = rate}, lr), sgd_decay = decayed(Sgd{.weight_decay = rate}, {}, lr);
  const auto adam = decayed(Adam{}, {.l2 = rate}, lr), adamw = decayed(AdamW{.weight_decay = rate}, {}, lr);
  const double wanted = std::pow(1 - lr * rate, 1000);
  const auto row = [&](const std::string& name,
                       const std::array<double, 2>& weights) -> std::vector<std::string> {
    return {name, lab.number(weights[0], 3), lab.number(weights[1], 3)};
  };
  lab.table({"", {"gradient 10", "gradiente 10"}, {"gradient 0.1", "gradiente 0,1"}},
            {row("SGD, L2", sgd), row("SGD, weight decay", sgd_decay), row("Adam, L2", adam),
             row("AdamW, weight decay", adamw), row("(1 - lr decay)^1000", {wanted, wanted})});
  const auto near = [&](const std::array<double, 2>& weights) {
    return std::ranges::all_of(weights, [&](double weight) { return std::abs(weight / wanted - 1) < 0.05; });
  };
  lab.check({"With SGD both are the same, and as the formula says (within 5 %)",
             "Com o SGD ambos são o mesmo, e como diz a fórmula (a menos de 5 %)"},
            near(sgd) && near(sgd_decay) && std::abs(sgd[0] - sgd_decay[0]) < 1e-3 &&
                std::abs(sgd[1] - sgd_decay[1]) < 1e-3);
  lab.check({"AdamW decays both weights by the formula", "O AdamW faz decair os dois pesos pela fórmula"},
            near(adamw));
  lab.check({"Adam with L2 leaves more than nine tenths of the one, less than a tenth of the other",
             "O Adam com L2 deixa mais de nove décimos de um e menos de um décimo do outro"},
            adam[0] > 0.9 && adam[1] < 0.1);
}

int regularisation(int argc, char** argv) {
  Lab lab("regularisation", {"Regularisation", "Regularização"},
          {"What keeps a network from learning its training data by heart, and what does that do to its "
           "weights?",
           "O que impede uma rede de decorar os dados de treino, e que faz isso aos pesos?"},
          argc, argv);
  use_threads(lab, "half a minute");
  on_weights(lab);
  on_the_gap(lab);
  decay(lab);
  return lab.finish();
}

}  // namespace
}  // namespace enxerto::lab

int main(int argc, char** argv) { return enxerto::lab::run(enxerto::lab::regularisation, argc, argv); }
