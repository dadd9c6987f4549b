// Seven optimizers race: along a valley, where theory says how fast, and with a small network.
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <numbers>
#include <numeric>
#include <optional>

#include "enxerto/core/text.h"
#include "enxerto/data/open.h"
#include "enxerto/zoo/zoo.h"
#include "examples/surface.h"
#include "examples/training.h"

namespace enxerto::lab {
namespace {

struct Racer {
  Text name;
  OptimizerConfig config;
};

std::vector<Racer> racers() {
  return {{"SGD", Sgd{}},           {{"momentum", "momento"}, Momentum{}},
          {"Nesterov", Nesterov{}}, {"AdaGrad", AdaGrad{}},
          {"RMSprop", RmsProp{}},   {"AdaDelta", AdaDelta{}},
          {"Adam", Adam{}}};
}

constexpr double condition = 100;

/// A valley turned by 30 degrees: u along it, v across.
Place turned(Place at) {
  constexpr double c = std::numbers::sqrt3 / 2, s = 0.5;
  return {c * at.x + s * at.y, c * at.y - s * at.x};
}
constexpr Surface valley{[](Place at) {
                           const auto [u, v] = turned(at);
                           return (u * u + condition * v * v) / 2;
                         },
                         [](Place at) {
                           constexpr double c = std::numbers::sqrt3 / 2, s = 0.5;
                           const auto [u, v] = turned(at);
                           return Place{c * u - s * condition * v, s * u + c * condition * v};
                         }};

constexpr Place start{-4, -1.5};

/// The same valley along the x axis.
constexpr Surface straight_valley{[](Place at) { return (at.x * at.x + condition * at.y * at.y) / 2; },
                                  [](Place at) {
                                    return Place{at.x, condition * at.y};
                                  }};

std::vector<double> losses_along(const Surface& surface, const std::vector<Place>& way) {
  std::vector<double> losses;
  for (const Place& at : way) losses.push_back(surface.value(at));
  return losses;
}

/// How many steps it takes until the loss is below the goal and stays there; empty where it is not at the
/// end.
std::optional<std::size_t> steps_to(std::span<const double> losses, double goal) {
  std::size_t steps = losses.size();
  while (steps > 0 && losses[steps - 1] < goal) --steps;
  return steps < losses.size() ? std::optional(steps) : std::nullopt;
}

/// One optimizer's race with the rate that gets it to the goal in the fewest steps.
struct Race {
  Text name;
  double rate = 0;
  std::optional<std::size_t> steps = {};
  std::vector<double> losses = {};  ///< step by step
};

/// Tries each rate; `run` gives the losses, fewer where it diverged.
Race race_of(const Text& name, std::span<const double> rates, double goal,
             const std::function<std::vector<double>(double rate)>& run) {
  Race best{.name = name};
  for (const double rate : rates) {
    std::vector<double> losses = run(rate);
    const std::optional<std::size_t> steps = steps_to(losses, goal);
    if (steps && (!best.steps || *steps < *best.steps))
      best = {.name = name, .rate = rate, .steps = steps, .losses = std::move(losses)};
  }
  return best;
}

/// From 10^low to 10^high, `each` of them to a power of ten.
std::vector<double> rates_between(int low, int high, int each) {
  std::vector<double> rates;
  for (int i = low * each; i <= high * each; ++i)
    rates.push_back(std::pow(10, static_cast<double>(i) / each));
  return rates;
}

void show_races(Lab& lab, const std::string& file, const Text& title, std::span<const Race> races,
                std::size_t steps) {
  Plot plot{
      .title = title, .x_name = {"step", "passo"}, .y_name = {"loss", "perda"}, .series = {}, .log_y = true};
  std::vector<std::vector<std::string>> rows;
  for (const Race& race : races) {
    Series line{.name = race.name, .x = {}, .y = race.losses};
    line.y.resize(std::min(steps, line.y.size()));
    line.x.resize(line.y.size());
    std::iota(line.x.begin(), line.x.end(), 0);
    plot.series.push_back(std::move(line));
    rows.push_back(
        {lab.in_language(race.name), lab.number(race.rate, 4), race.steps ? text(*race.steps) : "-"});
  }
  lab.plot(file, title, plot);
  lab.table({{"optimizer", "otimizador"}, {"rate", "taxa"}, {"steps to the goal", "passos até à meta"}},
            rows);
}

bool all_arrive(std::span<const Race> races) {
  return std::ranges::all_of(races, [](const Race& race) { return race.steps.has_value(); });
}

void rules(Lab& lab) {
  lab.section({"The rules", "As regras"});
  lab.say(
      {"g is the gradient, lr the rate, each weight for itself. The library has them in "
       "enxerto/train/optimizer.h, with their sources, and this lab calls those.",
       "g é o gradiente, lr a taxa, cada peso por si. A biblioteca tem-nos em enxerto/train/optimizer.h, "
       "com as fontes, e este laboratório chama esses."});
  lab.table(
      {{"optimizer", "otimizador"}, {"step", "passo"}, {"idea", "ideia"}},
      {{"SGD", "w -= lr g", lab.in_language({"downhill", "para baixo"})},
       {lab.in_language({"momentum", "momento"}), "v = mu v + g; w -= lr v",
        lab.in_language({"a ball that rolls: what agrees adds up, what swings cancels",
                         "uma bola que rola: o que concorda soma-se, o que oscila anula-se"})},
       {"Nesterov", "v = mu v + g; w -= lr (g + mu v)",
        lab.in_language({"the gradient where the ball will be", "o gradiente onde a bola vai estar"})},
       {"AdaGrad", "s += g^2; w -= lr g / sqrt(s)",
        lab.in_language({"a rate for each weight, ever smaller", "uma taxa para cada peso, cada vez menor"})},
       {"RMSprop", "s = 0.99 s + 0.01 g^2; w -= lr g / sqrt(s)",
        lab.in_language({"the same, but it forgets", "o mesmo, mas esquece"})},
       {"AdaDelta", "d = g sqrt(a) / sqrt(s); w -= lr d; a = 0.9 a + 0.1 d^2",
        lab.in_language({"steps as large as the last ones were", "passos do tamanho dos últimos"})},
       {"Adam", "m = 0.9 m + 0.1 g; s = 0.999 s + 0.001 g^2; w -= lr m' / sqrt(s')",
        lab.in_language({"momentum and RMSprop; m', s': corrected for their start at 0",
                         "momento e RMSprop; m', s': corrigidos do início em 0"})}});
}

/// How long one step is, in both directions.
Place step_size(const std::vector<Place>& way, std::size_t step) {
  return {std::abs(way[step].x - way[step - 1].x), std::abs(way[step].y - way[step - 1].y)};
}

bool near(double value, double wanted) { return std::abs(value / wanted - 1) < 1e-3; }

void on_a_slope(Lab& lab) {
  lab.section({"An even slope", "Um declive sempre igual"});
  lab.say(
      {"The gradient is (1, 0.01) everywhere: the second weight has a hundredth of the slope. Each with "
       "the rate 0.01 (AdaDelta with its usual 1). How long is the first step, how long the hundredth?",
       "O gradiente é (1, 0,01) em toda a parte: o segundo peso tem um centésimo do declive. Cada um com a "
       "taxa 0,01 (o AdaDelta com a sua habitual, 1). Que tamanho tem o primeiro passo, e o centésimo?"});
  constexpr Surface slope{[](Place at) { return at.x + 0.01 * at.y; }, [](Place) { return Place{1, 0.01}; }};
  constexpr double lr = 0.01;
  std::vector<std::vector<std::string>> rows;
  std::map<std::string, std::array<Place, 2>> found;
  for (const Racer& racer : racers()) {
    const auto way =
        walk(slope, racer.config, std::holds_alternative<AdaDelta>(racer.config) ? 1 : lr, {0, 0}, 100);
    const auto& [first, last] = found[racer.name.en] = {step_size(way, 1), step_size(way, 100)};
    rows.push_back({lab.in_language(racer.name), lab.number(first.x, 5), lab.number(first.y, 5),
                    lab.number(last.x, 5), lab.number(last.y, 5)});
  }
  lab.table({{"optimizer", "otimizador"},
             {"first, slope 1", "primeiro, declive 1"},
             {"first, slope 0.01", "primeiro, declive 0,01"},
             {"hundredth, slope 1", "centésimo, declive 1"},
             {"hundredth, slope 0.01", "centésimo, declive 0,01"}},
            rows);
  const auto [sgd, sgd_last] = found["SGD"];
  lab.check({"SGD's steps are lr times the slope, always the same",
             "Os passos do SGD são lr vezes o declive, sempre iguais"},
            near(sgd.x, lr) && near(sgd.y, lr / 100) && near(sgd_last.x, lr));
  lab.check(
      {"Momentum ends at ten times that, 1 / (1 - mu)", "O momento acaba em dez vezes isso, 1 / (1 - mu)"},
      near(found["momentum"][1].x, lr / (1 - Momentum{}.mu)));
  lab.check(
      {"AdaGrad's step t is lr / sqrt(t) whatever the slope: the hundredth is a tenth of the first",
       "O passo t do AdaGrad é lr / sqrt(t) seja qual for o declive: o centésimo é um décimo do primeiro"},
      near(found["AdaGrad"][0].x, lr) && near(found["AdaGrad"][0].y, lr) &&
          near(found["AdaGrad"][1].x, lr / 10));
  const auto [adam, adam_last] = found["Adam"];
  lab.check({"Adam's first step has the length lr for every weight, and so has the hundredth",
             "O primeiro passo do Adam tem o comprimento lr em todos os pesos, e o centésimo também"},
            near(adam.x, lr) && near(adam.y, lr) && near(adam_last.x, lr) && near(adam_last.y, lr));
  lab.check({"RMSprop, which does not correct for its start at 0, begins with steps of lr / sqrt(1 - "
             "alpha) = 10 lr",
             "O RMSprop, que não corrige o início em 0, começa com passos de lr / sqrt(1 - alpha) = 10 lr"},
            near(found["RMSprop"][0].x, lr / std::sqrt(1 - RmsProp{}.alpha)));
}

void plot_ways(Lab& lab, const std::string& file, std::span<const Race> races) {
  Plot plot{
      .title = {"Ways through the valley", "Caminhos pelo vale"}, .x_name = "x", .y_name = "y", .series = {}};
  add_contours(plot, valley, {-5, -3.5}, {1, 1}, {0.3, 2, 8, 25, 80, 250});
  for (const Racer& racer : racers())
    for (const Race& race : races)
      if (race.name.en == racer.name.en)
        plot.series.push_back(series_of(race.name, walk(valley, racer.config, race.rate, start, 80)));
  lab.plot(file, {"the first 80 steps", "os primeiros 80 passos"}, plot);
}

std::vector<Race> races_through(const Surface& surface, Place from) {
  const std::vector<double> rates = rates_between(-3, 2, 4);
  std::vector<Race> races;
  for (const Racer& racer : racers())
    races.push_back(race_of(racer.name, rates, 0.1, [&](double rate) {
      return losses_along(surface, walk(surface, racer.config, rate, from, 1000));
    }));
  return races;
}

void in_a_valley(Lab& lab) {
  lab.section({"A long valley", "Um vale comprido"});
  lab.say({text("f(x, y) = (u^2 + ", condition,
                " v^2) / 2, where u = x cos 30° + y sin 30° runs along the valley and v = y cos 30° - x "
                "sin 30° across. It is ",
                condition,
                " times as steep across as along: a rate that does not leap from wall to wall is far too "
                "small along. The goal is a loss of 0.1; each optimizer has the rate, of 4 to a power of "
                "ten, that takes it there soonest."),
           text("f(x, y) = (u^2 + ", condition,
                " v^2) / 2, em que u = x cos 30° + y sen 30° corre ao longo do vale e v = y cos 30° - x "
                "sen 30° atravessa-o. É ",
                condition,
                " vezes mais íngreme a atravessar do que ao longo: uma taxa que não salte de parede em "
                "parede é pequena de mais ao longo. A meta é uma perda de 0,1; cada otimizador tem a taxa, "
                "de 4 por potência de dez, que o leva lá mais depressa.")});
  const std::vector<Race> races = races_through(valley, start);
  plot_ways(lab, "ways", std::span(races).first(3));
  plot_ways(lab, "ways_adaptive", std::span(races).last(4));
  show_races(lab, "valley", {"The race through the valley", "A corrida pelo vale"}, races, 200);
  lab.check({"All seven arrive", "Chegam os sete"}, all_arrive(races));
  lab.check({"Momentum and Nesterov need less than two thirds of SGD's steps",
             "O momento e o Nesterov precisam de menos de dois terços dos passos do SGD"},
            all_arrive(races) && 3 * *races[1].steps < 2 * *races[0].steps &&
                3 * *races[2].steps < 2 * *races[0].steps);

  lab.say(
      {"Why are those that give each weight its own rate no faster? The valley lies askew: both weights "
       "see much the same steepness, and no rates for x and y make it round. Along the axes they do. The "
       "same race in (u^2 + 100 v^2) / 2 with u and v as the weights:",
       "Porque não são mais rápidos os que dão a cada peso a sua taxa? O vale está de esguelha: os dois "
       "pesos veem quase o mesmo declive, e não há taxas para x e y que o tornem redondo. Ao longo dos "
       "eixos há. A mesma corrida em (u^2 + 100 v^2) / 2 com u e v como pesos:"});
  const std::vector<Race> straight = races_through(straight_valley, turned(start));
  std::vector<std::vector<std::string>> rows;
  bool unmoved = all_arrive(races) && all_arrive(straight);
  for (std::size_t i = 0; i < races.size(); ++i) {
    const std::size_t askew = races[i].steps.value_or(0), along = straight[i].steps.value_or(0);
    rows.push_back({lab.in_language(races[i].name), text(askew), text(along)});
    if (i < 3) unmoved = unmoved && askew <= along + 2 && along <= askew + 2;
  }
  lab.table({{"optimizer", "otimizador"},
             {"steps, valley askew", "passos, vale de esguelha"},
             {"steps, along the axes", "passos, ao longo dos eixos"}},
            rows);
  lab.check({"SGD, momentum and Nesterov do not notice how the valley lies (within 2 steps)",
             "O SGD, o momento e o Nesterov não notam como está o vale (a menos de 2 passos)"},
            unmoved);
  lab.check({"AdaGrad needs less than half of its steps along the axes",
             "O AdaGrad precisa de menos de metade dos passos ao longo dos eixos"},
            races[3].steps && straight[3].steps && 2 * *straight[3].steps < *races[3].steps);
}

/// By what the distance to the minimum shrinks in a step, between two steps.
double shrinking(const std::vector<Place>& way, std::size_t from, std::size_t to) {
  return std::pow(valley.value(way[to]) / valley.value(way[from]), 0.5 / static_cast<double>(to - from));
}

void theory(Lab& lab) {
  lab.section({"What momentum is worth", "Quanto vale o momento"});
  lab.say(
      {"On a quadratic surface with the condition number k (here 100) theory knows the best rates (Polyak "
       "1964; Goh 2017, \"Why momentum really works\"):",
       "Numa superfície quadrática com número de condição k (aqui 100) a teoria conhece as melhores taxas "
       "(Polyak 1964; Goh 2017, \"Why momentum really works\"):"});
  lab.say(
      {"    SGD:       lr = 2 / (1 + k)                                              the distance shrinks "
       "by (k - 1) / (k + 1) a step\n    momentum:  lr = 4 / (1 + sqrt k)^2,  mu = ((sqrt k - 1) / (sqrt k "
       "+ 1))^2    by (sqrt k - 1) / (sqrt k + 1)",
       "    SGD:      lr = 2 / (1 + k)                                               a distância encolhe "
       "(k - 1) / (k + 1) por passo\n    momento:  lr = 4 / (1 + sqrt k)^2,  mu = ((sqrt k - 1) / (sqrt k "
       "+ 1))^2     (sqrt k - 1) / (sqrt k + 1)"});
  const double k = condition, root = std::sqrt(k), mu = std::pow((root - 1) / (root + 1), 2);
  const double plain = shrinking(walk(valley, Sgd{}, 2 / (1 + k), start, 120), 60, 120);
  const double heavy =
      shrinking(walk(valley, Momentum{.mu = mu}, 4 / std::pow(1 + root, 2), start, 120), 60, 120);
  lab.table({{"optimizer", "otimizador"}, {"theory, a step", "teoria, por passo"}, {"measured", "medido"}},
            {{"SGD", lab.number((k - 1) / (k + 1), 4), lab.number(plain, 4)},
             {lab.in_language({"momentum", "momento"}), lab.number((root - 1) / (root + 1), 4),
              lab.number(heavy, 4)}});
  const double times = std::log(heavy) / std::log(plain);
  lab.say(
      {text("So momentum is ", lab.number(times, 1),
            " times as fast here; theory says about sqrt k = ", lab.number(root, 0), ", in the long run."),
       text("O momento é aqui ", lab.number(times, 1),
            " vezes mais rápido; a teoria diz cerca de sqrt k = ", lab.number(root, 0), ", a longo prazo.")});
  lab.check({"SGD shrinks as predicted within 0.1 %, momentum within 3 %",
             "O SGD encolhe como previsto a menos de 0,1 %, o momento a menos de 3 %"},
            near(plain, (k - 1) / (k + 1)) && std::abs(heavy / ((root - 1) / (root + 1)) - 1) < 0.03);
  lab.check({"Momentum is 7 to 11 times as fast", "O momento é 7 a 11 vezes mais rápido"},
            times > 7 && times < 11);
}

/// Nesterov as he is drawn on blackboards: the gradient where the velocity is about to lead. What a network
/// is asked at are these places ahead.
Place look_ahead(double mu, double lr, int steps) {
  Place at = start, v;
  for (int step = 0; step < steps; ++step) {
    const Place g = valley.gradient({at.x + mu * v.x, at.y + mu * v.y});
    v = {mu * v.x - lr * g.x, mu * v.y - lr * g.y};
    at = {at.x + v.x, at.y + v.y};
  }
  return {at.x + mu * v.x, at.y + mu * v.y};
}

void nesterov(Lab& lab) {
  lab.section({"Nesterov looks ahead", "O Nesterov olha em frente"});
  lab.say(
      {"On the blackboard: v = mu v - lr g(w + mu v), w = w + v; the gradient is taken where the velocity "
       "is about to lead (Sutskever et al. 2013, equations 3 and 4). A program has its weights at that "
       "place ahead, w + mu v, and nothing else changes (Bengio et al. 2012, equation 7).",
       "No quadro: v = mu v - lr g(w + mu v), w = w + v; o gradiente é tomado onde a velocidade está "
       "prestes a chegar (Sutskever et al. 2013, equações 3 e 4). Um programa tem os pesos nesse lugar "
       "adiante, w + mu v, e nada mais muda (Bengio et al. 2012, equação 7)."});
  const Place by_hand = look_ahead(0.9, 0.005, 20),
              library = walk(valley, Nesterov{.mu = 0.9, .form = Form::textbook}, 0.005, start, 20).back();
  lab.table({"", "x", "y"}, {{lab.in_language({"blackboard, 20 steps", "quadro, 20 passos"}),
                              lab.number(by_hand.x, 5), lab.number(by_hand.y, 5)},
                             {lab.in_language({"library", "biblioteca"}), lab.number(library.x, 5),
                              lab.number(library.y, 5)}});
  lab.check({"Both are at the same place after 20 steps", "Ambos estão no mesmo lugar ao fim de 20 passos"},
            std::hypot(by_hand.x - library.x, by_hand.y - library.y) < 1e-4);
}

void with_a_network(Lab& lab) {
  lab.section({"A small network", "Uma rede pequena"});
  lab.say(
      {"2 inputs, two hidden layers of 16 (ReLU), 2 outputs, a hundred points of two half moons, all of "
       "them in each step. The goal is a loss of 0.01, each optimizer has the best of two rates to a power "
       "of ten.",
       "2 entradas, duas camadas escondidas de 16 (ReLU), 2 saídas, cem pontos de duas meias-luas, todos "
       "em cada passo. A meta é uma perda de 0,01, e cada otimizador tem a melhor de duas taxas por "
       "potência de dez."});
  const Batch moons = make_moons(100, 0.1, lab.seed());
  const std::vector<double> rates = rates_between(-3, 1, 2);
  std::vector<Race> races;
  for (const Racer& racer : racers())
    races.push_back(race_of(racer.name, rates, 0.01, [&](double rate) {
      Graph net = make_mlp(2, {16, 16, 2});
      net.init({}, Rng(lab.seed()));
      return train_steps(net, moons, fixed_rate(200, racer.config, rate));
    }));
  show_races(lab, "network", {"The race of a small network", "A corrida de uma rede pequena"}, races, 200);
  lab.check({"All seven arrive", "Chegam os sete"}, all_arrive(races));
}

void on_mnist(Lab& lab) {
  lab.section({"LeNet-5 on MNIST", "A LeNet-5 no MNIST"});
  lab.say(
      {"10,000 pictures, two epochs, batches of 32, each optimizer with the rate that `enxerto train` "
       "takes where none is given.",
       "10 000 imagens, duas épocas, lotes de 32, cada otimizador com a taxa que o `enxerto train` usa "
       "quando não se indica nenhuma."});
  const Splits mnist = open_data(lab.data("mnist"));
  Plot plot{.title = {"LeNet-5 on MNIST", "A LeNet-5 no MNIST"},
            .x_name = {"step", "passo"},
            .y_name = {"loss, mean of 50 steps", "perda, média de 50 passos"},
            .series = {}};
  std::vector<std::vector<std::string>> rows;
  bool all_down = true;
  for (const Racer& racer : racers()) {
    TrainConfig config = fixed_rate(2, racer.config, usual_lr(racer.config));
    config.seed = lab.seed();
    config.preprocess = Preprocess::of(Normalization::mnist, 28, 28, 1);
    Graph net = make_net("lenet5");
    net.init({}, Rng(lab.seed()));
    Listener listener;
    Series line{.name = racer.name, .x = {}, .y = {}};
    double sum = 0;
    listener.step = [&](const StepReport& report) {
      sum += report.loss;
      if (report.step % 50 > 0) return;
      line.x.push_back(static_cast<double>(report.step));
      line.y.push_back(sum / 50);
      sum = 0;
    };
    const std::array<Observer*, 1> observers{&listener};
    train(net, *mnist.train, nullptr, config, observers);
    const double top1 = evaluate(net, *mnist.test, config.preprocess).top1();
    rows.push_back({lab.in_language(racer.name), lab.number(usual_lr(racer.config), 4),
                    lab.number(line.y.back(), 3), lab.percent(top1)});
    all_down = all_down && line.y.back() < line.y.front() / 2;
    plot.series.push_back(std::move(line));
  }
  lab.plot("mnist", {"the loss of each optimizer", "a perda de cada otimizador"}, plot);
  lab.table({{"optimizer", "otimizador"},
             {"rate", "taxa"},
             {"loss at the end", "perda no fim"},
             {"right, test", "certas, teste"}},
            rows);
  lab.check({"All seven halve the loss of their first 50 steps",
             "Os sete reduzem a metade a perda dos primeiros 50 passos"},
            all_down);
}

int optimizers(int argc, char** argv) {
  Lab lab("optimizers", {"Seven optimizers", "Sete otimizadores"},
          {"What does each optimizer make of the same gradients, and which is the first to arrive?",
           "Que faz cada otimizador dos mesmos gradientes, e qual chega primeiro?"},
          argc, argv);
  use_threads(lab, "a minute");
  rules(lab);
  on_a_slope(lab);
  in_a_valley(lab);
  theory(lab);
  nesterov(lab);
  if (lab.real())
    on_mnist(lab);
  else
    with_a_network(lab);
  return lab.finish();
}

}  // namespace
}  // namespace enxerto::lab

int main(int argc, char** argv) { return enxerto::lab::run(enxerto::lab::optimizers, argc, argv); }
