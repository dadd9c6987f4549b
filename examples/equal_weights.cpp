// Equal initial weights stay equal, random ones do not; dead ReLUs; and the warnings of the trainer.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "enxerto/core/text.h"
#include "enxerto/data/open.h"
#include "enxerto/data/shapes.h"
#include "examples/lab.h"
#include "examples/training.h"

namespace enxerto::lab {
namespace {

constexpr Init equal_start{.kind = Init::Kind::constant, .value = 0.1f};
constexpr Init random_start{.kind = Init::Kind::he_normal};

/// The largest distance between a row of a weight (a neuron, a filter) and the first one, by the first's
/// norm.
double largest_distance(const Tensor& weight) {
  const auto rows = static_cast<std::size_t>(weight.shape().n), length = weight.data().size() / rows;
  double largest = 0, norm = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    double distance = 0;
    for (std::size_t k = 0; k < length; ++k) {
      distance = std::hypot(distance, weight.data()[i * length + k] - weight.data()[k]);
      if (i == 0) norm = std::hypot(norm, weight.data()[k]);
    }
    largest = std::max(largest, distance);
  }
  return largest / norm;
}

/// A small network's training on points, as it went.
struct Course {
  std::vector<double> losses;
  std::vector<std::vector<double>> weights;  ///< the first of each neuron of fc1, step by step
  std::vector<double> distances;             ///< largest_distance() of fc1
  std::vector<std::vector<LayerSigns>> layers;
  std::vector<LayerFault> faults;  ///< after the last step
};

Course follow(Graph net, const Batch& points, double lr, int steps) {
  Course course;
  course.losses = train_steps(
      net, points, fixed_rate(steps, Sgd{}, lr), [&](const EpochReport& report, const Graph& now) {
        const Tensor& weight = now.find_param("fc1.weight")->value;
        course.weights.emplace_back();
        for (std::int64_t i = 0; i < weight.shape().n; ++i)
          course.weights.back().push_back(weight.data()[static_cast<std::size_t>(i * weight.shape().c)]);
        course.distances.push_back(largest_distance(weight));
        course.layers.push_back(report.layers);
        course.faults = report.faults;
      });
  return course;
}

std::string warnings(std::span<const LayerFault> faults) {
  std::vector<std::string> lines;
  for (const LayerFault& fault : faults) lines.push_back(text("`", format_fault(fault), "`"));
  return join(lines, "; ");
}

bool has(std::span<const LayerFault> faults, FaultKind kind) {
  return std::ranges::find(faults, kind, &LayerFault::kind) != faults.end();
}

Plot plot_of(const Text& title, const Course& course) {
  Plot plot{.title = title, .x_name = {"step", "passo"}, .y_name = {"weight", "peso"}, .series = {}};
  for (std::size_t neuron = 0; neuron < course.weights[0].size(); ++neuron) {
    Series line{.name = {text("neuron ", neuron + 1), text("neurónio ", neuron + 1)}, .x = {}, .y = {}};
    for (std::size_t step = 0; step < course.weights.size(); step += 2) {
      line.x.push_back(static_cast<double>(step + 1));
      line.y.push_back(course.weights[step][neuron]);
    }
    plot.series.push_back(std::move(line));
  }
  return plot;
}

void neurons(Lab& lab) {
  lab.section({"Eight neurons that begin as one", "Oito neurónios que começam como um"});
  lab.say(
      {"A network of 2 inputs, 8 hidden neurons (ReLU) and 2 outputs learns to tell two half moons of "
       "points apart; every step has the gradient of all points. Neuron k has the weights w_k and the bias "
       "b_k, and output j has the weight v_jk for it. By the chain rule",
       "Uma rede de 2 entradas, 8 neurónios escondidos (ReLU) e 2 saídas aprende a separar duas meias-luas "
       "de pontos; cada passo usa o gradiente de todos os pontos. O neurónio k tem os pesos w_k e o viés "
       "b_k, e a saída j tem para ele o peso v_jk. Pela regra da cadeia"});
  lab.say({"    dL/dw_k = sum over points of  relu'(w_k x + b_k) (sum over j of v_jk dL/dy_j) x",
           "    dL/dw_k = soma nos pontos de  relu'(w_k x + b_k) (soma em j de v_jk dL/dy_j) x"});
  lab.say(
      {"The number k stands there only in w_k, b_k and v_jk. Where these are the same for two neurons, so "
       "are their gradients, so is what they become, and so it stays for ever: eight neurons that compute "
       "what one could. Random numbers break the symmetry (Goodfellow et al. 2016, section 8.4).",
       "O número k só aparece em w_k, b_k e v_jk. Se estes são iguais em dois neurónios, também o são os "
       "gradientes e aquilo em que eles se tornam, e assim ficam para sempre: oito neurónios que calculam "
       "o que um só calcularia. Números aleatórios quebram a simetria (Goodfellow et al. 2016, secção "
       "8.4)."});
  const Batch moons = make_moons(200, 0.1, lab.seed());
  const auto course_of = [&](const Init& init) {
    Graph net = make_mlp(2, {8, 2});
    net.init(init, Rng(lab.seed()));
    return follow(std::move(net), moons, 0.5, 400);
  };
  const Course equal = course_of(equal_start), random = course_of(random_start);
  lab.plot("equal",
           {"the first weight of each neuron, equal start: eight lines, one on the other",
            "o primeiro peso de cada neurónio, início igual: oito linhas, umas sobre as outras"},
           plot_of({"All weights start as 0.1", "Todos os pesos começam em 0,1"}, equal));
  lab.plot(
      "random",
      {"the first weight of each neuron, random start", "o primeiro peso de cada neurónio, início aleatório"},
      plot_of({"Random weights (He)", "Pesos aleatórios (He)"}, random));
  const auto row = [&](const Text& start, const Course& course) -> std::vector<std::string> {
    return {
        lab.in_language(start),
        lab.percent(std::ranges::max(course.distances), std::ranges::max(course.distances) < 1e-3 ? 5 : 0),
        lab.number(course.losses.front(), 3), lab.number(course.losses.back(), 3)};
  };
  lab.table({{"start", "início"},
             {"most that a neuron ever differs from the first",
              "máximo em que um neurónio alguma vez difere do primeiro"},
             {"loss, first step", "perda, primeiro passo"},
             {"last step", "último passo"}},
            {row({"equal", "igual"}, equal), row({"random", "aleatório"}, random)});
  lab.say(
      {"The difference is that of the two lists of weights, by the norm of the first. Where it is not "
       "quite zero, rounding did it: a fast kernel need not add up the same numbers in the same order for "
       "each neuron.",
       "A diferença é a das duas listas de pesos, dividida pela norma da primeira. Se não for mesmo zero, "
       "é do arredondamento: um kernel rápido pode somar os mesmos números por ordens diferentes em cada "
       "neurónio."});
  lab.check({"Equal neurons are equal at every step, but for rounding (less than 0.1 %)",
             "Os neurónios iguais são iguais em todos os passos, a menos do arredondamento (menos de 0,1 %)"},
            std::ranges::max(equal.distances) < 1e-3);
  lab.check({"Random ones never are (more than 10 %)", "Os aleatórios nunca o são (mais de 10 %)"},
            std::ranges::min(random.distances) > 0.1);
  lab.check({"The equal ones learn what one neuron can, the random ones more: less than half the loss",
             "Os iguais aprendem o que um só neurónio pode; os aleatórios mais: menos de metade da perda"},
            equal.losses.back() < equal.losses.front() && random.losses.back() < equal.losses.back() / 2);
}

/// What a training on pictures said.
struct Heard {
  std::vector<LayerFault> faults;  ///< of the last epoch
  double top1 = 0;                 ///< at the best epoch
  Tensor filters;                  ///< of the convolution, at the end
  std::int64_t copies = 0;         ///< among them, as the trainer counts
};

/// The pictures of this lab.
struct Pictures {
  std::shared_ptr<const Dataset> train, val;
  int side = 0, epochs = 0;
};

Heard learn(const Pictures& pictures, const Init& init, std::uint64_t seed) {
  Graph net;
  net.input({.c = 1, .h = pictures.side, .w = pictures.side});
  net.add("conv1", Conv2d{.out = 6, .kernel = 7}, {net.last()});
  net.add("relu1", Activate{}, {net.last()});
  net.add("pool1", MaxPool2d{}, {net.last()});
  net.add("flatten", Flatten{}, {net.last()});
  net.add("fc2", Linear{.out = static_cast<int>(pictures.train->classes().size())}, {net.last()});
  net.init(init, Rng(seed));
  TrainConfig config = fixed_rate(pictures.epochs, Momentum{}, 0.01);
  config.seed = seed;
  config.metric = Metric::val_top1;
  config.preprocess = Preprocess::plain(pictures.side, pictures.side, 1);
  Heard heard;
  Listener listener;
  listener.heard = [&](const EpochReport& report, const Graph& now) {
    heard.faults = report.faults;
    heard.copies = report.layers.front().equal;
    heard.filters = now.find_param("conv1.weight")->value.clone();
  };
  const std::array<Observer*, 1> observers{&listener};
  heard.top1 = train(net, *pictures.train, pictures.val.get(), config, observers).val->top1();
  return heard;
}

Image filters_as_picture(const Tensor& weight) {
  const auto [least, most] = std::ranges::minmax(weight.data());
  std::vector<Image> filters;
  const auto length = static_cast<std::size_t>(weight.shape().h * weight.shape().w);
  for (std::size_t i = 0; i < static_cast<std::size_t>(weight.shape().n); ++i)
    filters.push_back(as_picture(
        {{.h = weight.shape().h, .w = weight.shape().w}, weight.data().subspan(i * length, length)}, 0, least,
        most, 12));
  return side_by_side(filters);
}

void filters(Lab& lab) {
  lab.section({"The filters of a convolution", "Os filtros de uma convolução"});
  Pictures pictures{.train = make_crosses_and_circles(256, 16, lab.seed()),
                    .val = make_crosses_and_circles(256, 16, lab.seed() + 1000),
                    .side = 16,
                    .epochs = 20};
  if (lab.real()) {
    const Splits mnist = open_data(lab.data("mnist"));
    pictures = {.train = mnist.train, .val = mnist.test, .side = 28, .epochs = 1};
  }
  const Heard equal = learn(pictures, equal_start, lab.seed()),
              random = learn(pictures, random_start, lab.seed());
  lab.say({text("The same holds for filters. A network of one convolution (6 filters of 7x7), ReLU, max "
                "pooling and a linear layer learns ",
                lab.real() ? "MNIST" : "crosses and circles",
                ": its filters, equal start above, random start below, and what the trainer says after the "
                "last epoch."),
           text("O mesmo vale para filtros. Uma rede com uma convolução (6 filtros de 7x7), ReLU, max "
                "pooling e uma camada linear aprende ",
                lab.real() ? "o MNIST" : "cruzes e círculos",
                ": os filtros, em cima com início igual, em baixo com início aleatório, e o que o treino "
                "diz depois da última época.")});
  lab.picture("filters_equal", {"six times the same filter", "seis vezes o mesmo filtro"},
              filters_as_picture(equal.filters));
  lab.picture("filters_random", {"six filters", "seis filtros"}, filters_as_picture(random.filters));
  lab.table({{"start", "início"},
             {"copies among the 6", "cópias entre os 6"},
             {"right, validation", "certas, validação"},
             {"warning of the trainer", "aviso do treino"}},
            {{"`--init constant:0.1`", text(equal.copies), lab.percent(equal.top1), warnings(equal.faults)},
             {"`--init he_normal`", text(random.copies), lab.percent(random.top1), warnings(random.faults)}});
  lab.check({"The trainer says that the filters are copies, and how to mend it",
             "O treino diz que os filtros são cópias e como resolver"},
            has(equal.faults, FaultKind::equal));
  lab.check({"Mended so, it says nothing more", "Resolvido assim, não diz mais nada"}, random.faults.empty());
  lab.check({"Half of the equal filters or more are still copies at the end, of the random ones none",
             "Metade dos filtros iguais ou mais ainda são cópias no fim; dos aleatórios, nenhum"},
            equal.copies >= 3 && random.copies == 0);
  lab.check({"With random filters more is right", "Com filtros aleatórios há mais respostas certas"},
            random.top1 > equal.top1 + 0.02);
}

/// Neurons of all hidden layers without a gradient, as a share.
double still_share(std::span<const LayerSigns> layers) {
  double still = 0, all = 0;
  for (const LayerSigns& layer : layers.first(layers.size() - 1)) {
    still += static_cast<double>(layer.still);
    all += static_cast<double>(layer.filters);
  }
  return still / all;
}

void dead(Lab& lab) {
  lab.section({"Dead ReLUs", "ReLUs mortas"});
  lab.say(
      {"A ReLU answers max(0, z) and its derivative is 0 where z < 0. A neuron whose z is negative for "
       "every point has no gradient at all: nothing ever changes its weights, it is dead. One step that is "
       "far too long can throw it there, or a bias that is far too negative. The same network with two "
       "hidden layers of 16, three times:",
       "Uma ReLU responde max(0, z), e a derivada é 0 onde z < 0. Um neurónio cujo z é negativo em todos "
       "os pontos não tem gradiente nenhum: nada volta a mudar os seus pesos, está morto. Um passo "
       "demasiado longo pode atirá-lo para lá, ou um viés demasiado negativo. A mesma rede com duas "
       "camadas escondidas de 16, três vezes:"});
  const Batch moons = make_moons(200, 0.1, lab.seed());
  struct Case {
    Text name;
    double lr;
    float bias;
  };
  const std::array<Case, 3> cases{Case{{"sensible rate", "taxa sensata"}, 0.2, 0},
                                  Case{{"rate far too large", "taxa grande de mais"}, 20, 0},
                                  Case{{"large negative bias", "viés muito negativo"}, 0.2, -20}};
  Plot plot{.title = {"Hidden neurons without a gradient", "Neurónios escondidos sem gradiente"},
            .x_name = {"step", "passo"},
            .y_name = {"share", "fração"},
            .series = {},
            .log_x = true,
            .commands = "set yrange [-0.02:1.05]"};
  std::vector<std::vector<std::string>> rows;
  std::vector<Course> courses;
  for (const Case& each : cases) {
    Graph net = make_mlp(2, {16, 16, 2});
    net.init(random_start, Rng(lab.seed()));
    for (Param& param : net.params())
      if (param.name == "fc1.bias") std::ranges::fill(param.value.data(), each.bias);
    const Course& course = courses.emplace_back(follow(std::move(net), moons, each.lr, 200));
    Series line{.name = each.name, .x = {}, .y = {}};
    for (std::size_t step = 0; step < course.layers.size(); ++step) {
      line.x.push_back(static_cast<double>(step + 1));
      line.y.push_back(still_share(course.layers[step]));
    }
    rows.push_back({lab.in_language(each.name), lab.number(each.lr, 1), lab.number(each.bias, 0),
                    lab.percent(line.y.front(), 0), lab.percent(line.y.back(), 0),
                    lab.number(course.losses.back(), 3), warnings(course.faults)});
    plot.series.push_back(std::move(line));
  }
  lab.plot("dead",
           {"share of neurons without a gradient, step by step",
            "fração de neurónios sem gradiente, passo a passo"},
           plot);
  lab.table({{"case", "caso"},
             {"rate", "taxa"},
             {"bias of fc1 at the start", "viés de fc1 no início"},
             {"no gradient, first step", "sem gradiente, primeiro passo"},
             {"last step", "último passo"},
             {"loss, last step", "perda, último passo"},
             {"warning of the trainer", "aviso do treino"}},
            rows);
  lab.check({"With a rate far too large most neurons die, and the trainer says so",
             "Com uma taxa grande de mais morre a maioria dos neurónios, e o treino di-lo"},
            still_share(courses[1].layers.back()) > 0.5 && has(courses[1].faults, FaultKind::dead));
  lab.check(
      {"With a large negative bias all are dead from the first step to the last",
       "Com um viés muito negativo estão todos mortos do primeiro ao último passo"},
      std::ranges::all_of(courses[2].layers, [](const auto& layers) { return still_share(layers) == 1; }) &&
          has(courses[2].faults, FaultKind::dead));
  lab.check({text("Then only the last bias learns, and the best it can do is to guess: a loss of ln 2 = ",
                  lab.number(std::numbers::ln2, 3)),
             text("Então só o último viés aprende, e o melhor que consegue é adivinhar: uma perda de ln 2 "
                  "= ",
                  lab.number(std::numbers::ln2, 3))},
            std::abs(courses[2].losses.back() - std::numbers::ln2) < 1e-3);
  lab.check(
      {"The cure, a sensible rate from a fresh start: no warning, and a quarter of the others' loss or less",
       "A cura, uma taxa sensata desde um novo início: sem avisos, e no máximo um quarto da perda dos "
       "outros"},
      courses[0].faults.empty() && 4 * courses[0].losses.back() < courses[1].losses.back() &&
          4 * courses[0].losses.back() < courses[2].losses.back());
}

int equal_weights(int argc, char** argv) {
  Lab lab(
      "equal_weights", {"Equal weights stay equal", "Pesos iguais ficam iguais"},
      {"Why do weights start as random numbers, and what else can keep neurons from learning?",
       "Porque começam os pesos com números aleatórios, e que mais pode impedir os neurónios de aprender?"},
      argc, argv);
  use_threads(lab, "half a minute");
  neurons(lab);
  filters(lab);
  dead(lab);
  return lab.finish();
}

}  // namespace
}  // namespace enxerto::lab

int main(int argc, char** argv) { return enxerto::lab::run(enxerto::lab::equal_weights, argc, argv); }
