// How wide initial weights have to scatter: signals and gradients through thirty layers, in theory and
// measured.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <optional>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/data/open.h"
#include "examples/lab.h"
#include "examples/training.h"

namespace enxerto::lab {
namespace {

constexpr int depth = 30, width = 128, networks = 3;

struct Start {
  Text name;
  Init init;
  std::optional<double> variance;  ///< of a weight between two layers of `width`, where it is random
};

std::vector<Start> starts() {
  using Kind = Init::Kind;
  return {{{"Gaussian, s = 0.01", "gaussiana, s = 0,01"}, {Kind::gaussian, 0.01f}, 0.01 * 0.01},
          {{"Gaussian, s = 0.25", "gaussiana, s = 0,25"}, {Kind::gaussian, 0.25f}, 0.25 * 0.25},
          {{"uniform in +-0.05", "uniforme em +-0,05"}, {Kind::uniform, 0.05f}, 0.05 * 0.05 / 3},
          {"Xavier", {Kind::xavier_normal}, 1.0 / width},
          {"He", {Kind::he_normal}, 2.0 / width},
          {{"constant 0.01", "constante 0,01"}, {Kind::constant, 0.01f}, std::nullopt}};
}

double value_at(Activation function, double z) {
  return function == Activation::relu ? std::max(z, 0.0) : std::tanh(z);
}
double slope_at(Activation function, double z) {
  if (function == Activation::relu) return z > 0;
  return 1 - std::tanh(z) * std::tanh(z);
}

/// E[f(z)^2] for a normal z of this variance, by the trapezoidal rule.
double mean_square(double (*f)(Activation, double), Activation function, double variance) {
  constexpr int points = 4000;
  double sum = 0;
  for (int i = 0; i <= points; ++i) {
    const double t = -8 + 16.0 * i / points, y = f(function, std::sqrt(variance) * t);
    sum += y * y * std::exp(-t * t / 2);
  }
  return sum * 16 / points / std::sqrt(2 * std::numbers::pi);
}

/// Root mean squares layer by layer: of the activations behind the hidden layers, and of the gradient by what
/// stands before them.
struct Signals {
  std::vector<double> forward, backward;
};

/// The theory: q_l = n s^2 E[f(z_(l-1))^2], d_l^2 = n s^2 E[f'(z_l)^2] d_(l+1)^2.
Signals predict(Activation function, double variance) {
  Signals signals{.forward = std::vector<double>(depth - 1), .backward = std::vector<double>(depth - 1)};
  double square = 1;  // of the inputs
  std::vector<double> slopes;
  for (double& out : signals.forward) {
    const double q = width * variance * square;
    square = mean_square(value_at, function, q);
    out = std::sqrt(square);
    slopes.push_back(mean_square(slope_at, function, q));
  }
  square = 1;  // of the gradient by the outputs
  for (std::size_t l = slopes.size(); l-- > 0;) {
    square *= width * variance * slopes[l];
    signals.backward[l] = std::sqrt(square);
  }
  return signals;
}

double root_mean_square(ConstView values) {
  double sum = 0;
  for (const float value : values.data) sum += static_cast<double>(value) * value;
  return std::sqrt(sum / static_cast<double>(values.data.size()));
}

Tensor normal_rows(std::int64_t n, Rng rng) {
  Tensor rows({.n = n, .c = width});
  for (float& value : rows.data()) value = rng.normal();
  return rows;
}

/// The same measured: one pass forward and one back with normal inputs and a normal gradient by the outputs.
/// Geometric means over a few networks.
Signals measure(Activation function, const Init& init, std::uint64_t first_seed) {
  constexpr int batch = 64;
  Signals signals{.forward = std::vector<double>(depth - 1, 1),
                  .backward = std::vector<double>(depth - 1, 1)};
  for (std::uint64_t seed = first_seed; seed < first_seed + networks; ++seed) {
    Graph net = make_mlp(width, std::vector<int>(depth, width), function);
    net.init(init, Rng(seed));
    std::vector<NodeId> sides;
    for (int l = 1; l < depth; ++l)
      for (const char* kind : {"fc", "act"}) sides.push_back(net.id_of(text(kind, l)));
    net.set_side_outputs(sides);
    Executor executor(net, {.batch = batch, .train = true, .side_outputs = true, .input_gradient = true});
    executor.forward(normal_rows(batch, Rng(seed).child(1)).view());
    for (std::size_t l = 0; l < depth - 1; ++l)
      signals.forward[l] *= std::pow(root_mean_square(executor.side_output(2 * l + 1)), 1.0 / networks);
    const Tensor zeros({.n = batch, .c = width});  // the side outputs are in no loss of their own
    executor.backward(normal_rows(batch, Rng(seed).child(2)).view(),
                      std::vector<ConstView>(sides.size(), zeros.view()));
    for (std::size_t l = 0; l < depth - 1; ++l)
      signals.backward[l] *= std::pow(root_mean_square(executor.side_gradient(2 * l)), 1.0 / networks);
  }
  return signals;
}

/// By what the mean square grows from one layer to the next, on average.
double growth(std::span<const double> values) {
  return std::pow(values.back() / values.front(), 2.0 / static_cast<double>(values.size() - 1));
}

struct Measured {
  Start start;
  Signals found, theory;  ///< theory: only where the start is random
};

std::vector<Measured> measure_all(Activation function, std::uint64_t seed) {
  std::vector<Measured> all;
  for (const Start& start : starts())
    all.push_back({start, measure(function, start.init, 100 * seed),
                   start.variance ? predict(function, *start.variance) : Signals{}});
  return all;
}

/// Measured as points, the theory as a line of the same colour.
void plot_signals(Lab& lab, const std::string& file, const Text& title, const std::vector<Measured>& all,
                  std::vector<double> Signals::*which) {
  std::vector<double> layers(depth - 1);
  std::iota(layers.begin(), layers.end(), 1);
  Plot plot{.title = title,
            .x_name = {"layer", "camada"},
            .y_name = {"root mean square", "média quadrática"},
            .series = {},
            .log_y = true,
            .commands = text("unset linetype 7\nunset linetype 8\nset linetype cycle ", all.size(), "")};
  for (const Measured& each : all)
    plot.series.push_back({.name = each.start.name, .x = layers, .y = each.found.*which, .points = true});
  for (const Measured& each : all)
    if (each.start.variance) plot.series.push_back({.name = "", .x = layers, .y = each.theory.*which});
  lab.plot(file, title, plot);
}

/// The largest factor between what was measured and the theory, over all layers.
double worst_factor(const Measured& each, std::vector<double> Signals::*which) {
  double worst = 0;
  for (std::size_t l = 0; l < (each.found.*which).size(); ++l)
    worst = std::max(worst, std::abs(std::log((each.found.*which)[l] / (each.theory.*which)[l])));
  return std::exp(worst);
}

void with_relu(Lab& lab) {
  lab.section("ReLU");
  lab.say(
      {text("A weighted sum of n activations a, with weights of mean 0 and variance s^2, has the variance "
            "n s^2 E[a^2]. Behind a ReLU half of a symmetric z remains, E[a^2] = Var(z) / 2, and so from "
            "layer to layer"),
       text("Uma soma pesada de n ativações a, com pesos de média 0 e variância s^2, tem a variância n s^2 "
            "E[a^2]. Atrás de uma ReLU fica metade de um z simétrico, E[a^2] = Var(z) / 2, e por isso de "
            "camada em camada")});
  lab.say({"    Var(z_l) = (n s^2 / 2) Var(z_(l-1))"});
  lab.say(
      {"The same factor stands in the way back (there n counts the outputs). Thirty factors make it: less "
       "than 1 and the signal vanishes, more and it explodes, 1 and it is kept. He's start solves n s^2 / "
       "2 = 1: s^2 = 2 / n (He et al. 2015, \"Delving deep\", equation 10). Xavier's, s^2 = 2 / (n_in + "
       "n_out), was made for activations that let everything through near 0 (Glorot & Bengio 2010, "
       "equation 12); with a ReLU it halves the variance in each layer.",
       "O mesmo fator aparece no caminho de volta (aí n conta as saídas). São trinta fatores: menores do "
       "que 1, e o sinal desaparece; maiores, e explode; iguais a 1, e mantém-se. O início de He resolve n "
       "s^2 / 2 = 1: s^2 = 2 / n (He et al. 2015, \"Delving deep\", equação 10). O de Xavier, s^2 = 2 / "
       "(n_in + n_out), foi feito para ativações que deixam passar tudo perto de 0 (Glorot & Bengio 2010, "
       "equação 12); com uma ReLU reduz a variância a metade em cada camada."});
  const std::vector<Measured> all = measure_all(Activation::relu, lab.seed());
  plot_signals(lab, "relu_forward",
               {"Activations, ReLU: measured (points), theory (lines)",
                "Ativações, ReLU: medido (pontos), teoria (linhas)"},
               all, &Signals::forward);
  plot_signals(lab, "relu_backward",
               {"Gradients, ReLU: measured (points), theory (lines)",
                "Gradientes, ReLU: medido (pontos), teoria (linhas)"},
               all, &Signals::backward);
  std::vector<std::vector<std::string>> rows;
  bool as_predicted = true;
  for (const Measured& each : all) {
    const double forward = growth(each.found.forward), backward = 1 / growth(each.found.backward);
    const double theory = width * each.start.variance.value_or(0) / 2;
    if (each.start.variance)
      as_predicted =
          as_predicted && std::abs(forward / theory - 1) < 0.15 && std::abs(backward / theory - 1) < 0.15;
    rows.push_back({lab.in_language(each.start.name), each.start.variance ? lab.number(theory, 4) : "",
                    lab.number(forward, 4), lab.number(backward, 4)});
  }
  lab.table({{"start", "início"},
             {"theory: n s^2 / 2", "teoria: n s^2 / 2"},
             {"measured, forward, a layer", "medido, para a frente, por camada"},
             {"measured, backward, a layer", "medido, para trás, por camada"}},
            rows);
  lab.check({"Forward and backward, the mean square grows by n s^2 / 2 a layer, within 15 %",
             "Para a frente e para trás, a média dos quadrados cresce n s^2 / 2 por camada, dentro de 15 %"},
            as_predicted);
  const auto change = [&](std::size_t i) {
    return all[i].found.forward.back() / all[i].found.forward.front();
  };
  lab.check({"Over 28 layers He's start keeps activations within a factor of 3; Xavier's loses more than a "
             "factor of 1000",
             "Ao longo de 28 camadas o início de He mantém as ativações dentro de um fator 3; o de Xavier "
             "perde mais de um fator 1000"},
            change(4) > 1.0 / 3 && change(4) < 3 && change(3) < 1e-3);
}

void with_tanh(Lab& lab) {
  lab.section("tanh");
  lab.say(
      {"Here the factor depends on how far the signal is into the flat parts of the curve. With q for the "
       "variance of z, and z normal, the same thought gives (Poole et al. 2016, Schoenholz et al. 2017)",
       "Aqui o fator depende de quanto o sinal entra nas partes planas da curva. Com q para a variância de "
       "z, e z normal, a mesma ideia dá (Poole et al. 2016, Schoenholz et al. 2017)"});
  lab.say(
      {"    q_l = n s^2 E[tanh(z_(l-1))^2],    gradient^2 at l = n s^2 E[tanh'(z_l)^2] (gradient^2 at l + "
       "1)",
       "    q_l = n s^2 E[tanh(z_(l-1))^2],    gradiente^2 em l = n s^2 E[tanh'(z_l)^2] (gradiente^2 em l "
       "+ 1)"});
  lab.say(
      {"and the program adds these integrals up. Look at the large Gaussian: its activations cannot "
       "explode, they sit near -1 and 1 (saturated), but its gradients do. With Xavier's start both change "
       "slowly.",
       "e o programa soma estes integrais. Repare na gaussiana grande: as ativações não podem explodir, "
       "ficam perto de -1 e 1 (saturadas), mas os gradientes explodem. Com o início de Xavier ambos mudam "
       "devagar."});
  const std::vector<Measured> all = measure_all(Activation::tanh, lab.seed());
  plot_signals(lab, "tanh_forward",
               {"Activations, tanh: measured (points), theory (lines)",
                "Ativações, tanh: medido (pontos), teoria (linhas)"},
               all, &Signals::forward);
  plot_signals(lab, "tanh_backward",
               {"Gradients, tanh: measured (points), theory (lines)",
                "Gradientes, tanh: medido (pontos), teoria (linhas)"},
               all, &Signals::backward);
  bool near = true;
  for (const Measured& each : all)
    if (each.start.variance)
      near =
          near && worst_factor(each, &Signals::forward) < 1.5 && worst_factor(each, &Signals::backward) < 1.5;
  lab.check({"In every layer what was measured is within a factor of 1.5 of the theory",
             "Em todas as camadas o medido está dentro de um fator 1,5 da teoria"},
            near);
  lab.check({"The large Gaussian saturates (activations above 0.8), and its gradients grow more than 1000 "
             "times on their way back",
             "A gaussiana grande satura (ativações acima de 0,8), e os gradientes crescem mais de 1000 "
             "vezes no caminho de volta"},
            all[1].found.forward.back() > 0.8 &&
                all[1].found.backward.front() > 1000 * all[1].found.backward.back());
  const Signals& xavier = all[3].found;
  lab.check({"Xavier's start keeps both within a factor of 15",
             "O início de Xavier mantém ambos dentro de um fator 15"},
            xavier.forward.front() < 15 * xavier.forward.back() &&
                xavier.backward.back() < 15 * xavier.backward.front());
}

/// What became of a training.
struct Trained {
  std::vector<double> losses;      ///< by step, or by epoch of real data
  std::vector<LayerFault> faults;  ///< near the beginning
  bool diverged = false;
};

Graph deep_net(const Shape& image, int classes, const Init& init, std::uint64_t seed) {
  Graph net;
  net.input(image);
  net.add("flatten", Flatten{}, {net.last()});
  for (int l = 1; l < depth; ++l) {
    net.add(text("fc", l), Linear{.out = width}, {net.last()});
    net.add(text("act", l), Activate{}, {net.last()});
  }
  net.add(text("fc", depth), Linear{.out = classes}, {net.last()});
  net.init(init, Rng(seed));
  return net;
}

Trained train_on_moons(const Init& init, std::uint64_t seed) {
  Trained trained;
  Graph net = deep_net({.c = 2}, 2, init, seed);
  trained.losses = train_steps(net, make_moons(64, 0.1, seed), fixed_rate(100, Momentum{}, 0.0005),
                               [&](const EpochReport& report, const Graph&) {
                                 if (report.epoch == 2) trained.faults = report.faults;
                               });
  trained.diverged = trained.losses.size() < 100;
  return trained;
}

Trained train_on_mnist(const Splits& mnist, const Init& init, std::uint64_t seed) {
  Trained trained;
  Graph net = deep_net({.c = 1, .h = 28, .w = 28}, 10, init, seed);
  TrainConfig config = fixed_rate(3, Momentum{}, 0.0005);
  config.seed = seed;
  config.preprocess = Preprocess::of(Normalization::mnist, 28, 28, 1);
  Listener listener;
  listener.heard = [&](const EpochReport& report, const Graph&) {
    trained.losses.push_back(report.train_loss);
    if (report.epoch == 1) trained.faults = report.faults;
  };
  const std::array<Observer*, 1> observers{&listener};
  try {
    train(net, *mnist.train, nullptr, config, observers);
  } catch (const Error& error) {
    trained.diverged = error.kind() == ErrorKind::diverged;
    if (!trained.diverged) throw;
  }
  return trained;
}

bool has(std::span<const LayerFault> faults, FaultKind kind) {
  return std::ranges::find(faults, kind, &LayerFault::kind) != faults.end();
}

void training(Lab& lab) {
  lab.section({"Which of them trains", "Qual deles treina"});
  std::optional<Splits> mnist;
  if (lab.real()) mnist = open_data(lab.data("mnist"));
  lab.say({text("The same thirty layers with ReLU and a softmax at the end learn ",
                mnist ? "MNIST, three epochs" : "two half moons, a hundred steps",
                "; momentum, rate 0.0005. This is figure 3 of He et al. 2015 in small."),
           text("As mesmas trinta camadas com ReLU e um softmax no fim aprendem ",
                mnist ? "o MNIST, três épocas" : "duas meias-luas, cem passos",
                "; momento, taxa 0,0005. É a figura 3 de He et al. 2015 em pequeno.")});
  Plot plot{.title = {"Thirty layers learn", "Trinta camadas aprendem"},
            .x_name = mnist ? Text{"epoch", "época"} : Text{"step", "passo"},
            .y_name = {"loss", "perda"},
            .series = {},
            .commands = "set yrange [0:2.5]"};
  std::vector<std::vector<std::string>> rows;
  double he = 0, best_other = std::numeric_limits<double>::infinity();
  std::vector<LayerFault> of_he, of_others;
  for (const Start& start : starts()) {
    const Trained trained =
        mnist ? train_on_mnist(*mnist, start.init, lab.seed()) : train_on_moons(start.init, lab.seed());
    const bool is_he = start.init.kind == Init::Kind::he_normal;
    const double lowest = trained.diverged ? best_other : std::ranges::min(trained.losses);
    (is_he ? he : best_other) = is_he ? lowest : std::min(lowest, best_other);
    std::vector<LayerFault>& faults = is_he ? of_he : of_others;
    faults.insert(faults.end(), trained.faults.begin(), trained.faults.end());
    std::vector<std::string> said;
    for (const LayerFault& fault : trained.faults) said.push_back(text("`", format_fault(fault), "`"));
    rows.push_back({lab.in_language(start.name),
                    trained.diverged ? lab.in_language({"diverged", "divergiu"}) : lab.number(lowest, 3),
                    join(said, "; ")});
    if (trained.losses.size() < 2) continue;
    Series line{.name = start.name, .x = std::vector<double>(trained.losses.size()), .y = trained.losses};
    std::iota(line.x.begin(), line.x.end(), 1);
    plot.series.push_back(std::move(line));
  }
  lab.plot("training", {"the loss of each start", "a perda com cada início"}, plot);
  lab.table({{"start", "início"},
             {"lowest loss", "menor perda"},
             {"warning of the trainer near the beginning", "aviso do treino perto do início"}},
            rows);
  lab.say(
      {"Where the trainer says \"dead\" of a start that is too small, gradients are so small that they "
       "are 0 as floats.",
       "Onde o treino diz \"dead\" (mortos) num início pequeno de mais, os gradientes são tão pequenos "
       "que como floats são 0."});
  lab.check({"He's start has a third of the loss of the best other one, or less",
             "O início de He tem no máximo um terço da perda do melhor dos outros"},
            3 * he < best_other);
  lab.check({"The trainer warns of vanishing gradients; with He's start they neither vanish nor explode",
             "O treino avisa de gradientes que desaparecem; com o início de He nem desaparecem nem explodem"},
            has(of_others, FaultKind::vanishing) && !has(of_he, FaultKind::vanishing) &&
                !has(of_he, FaultKind::exploding));
}

int initialisation(int argc, char** argv) {
  Lab lab("initialisation", {"Initial weights", "Pesos iniciais"},
          {"How wide do random initial weights have to scatter, and why does that depend on the layer?",
           "Com que dispersão devem começar os pesos aleatórios, e porque depende isso da camada?"},
          argc, argv);
  use_threads(lab, "a minute");
  lab.say({text(depth, " linear layers, each of n = ", width,
                " neurons; inputs are normal with variance 1, and so is the gradient that comes in at the "
                "end. The pictures show the root mean square of the activations on the way forward, and of "
                "the gradient by the weighted sums z on the way back (read these from right to left), of "
                "three networks."),
           text(depth, " camadas lineares, cada uma com n = ", width,
                " neurónios; as entradas são normais com variância 1, e também o gradiente que entra no "
                "fim. As imagens mostram a média quadrática (raiz da média dos quadrados) das ativações no "
                "caminho para a frente, e do gradiente em ordem às somas pesadas z no caminho de volta "
                "(leia estas da direita para a esquerda), em três redes.")});
  with_relu(lab);
  with_tanh(lab);
  training(lab);
  return lab.finish();
}

}  // namespace
}  // namespace enxerto::lab

int main(int argc, char** argv) { return enxerto::lab::run(enxerto::lab::initialisation, argc, argv); }
