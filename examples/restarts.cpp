// Gradient descent from several random starts: which minimum it ends in, and what the best of k starts is
// worth.
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>

#include "enxerto/core/text.h"
#include "enxerto/data/open.h"
#include "enxerto/zoo/zoo.h"
#include "examples/surface.h"
#include "examples/training.h"

namespace enxerto::lab {
namespace {

constexpr double border = 6;  // starts lie in [-6, 6] x [-6, 6]

double value_along(double x) { return x * x / 20 + 1 - std::cos(1.5 * x); }
double slope_along(double x) { return x / 10 + 1.5 * std::sin(1.5 * x); }

constexpr Surface surface{[](Place at) { return value_along(at.x) + value_along(at.y); },
                          [](Place at) {
                            return Place{slope_along(at.x), slope_along(at.y)};
                          }};

/// The crest between the middle minimum and the next: the slope changes its sign there.
double crest() {
  double low = 1, high = 3;
  for (int i = 0; i < 50; ++i) (slope_along((low + high) / 2) > 0 ? low : high) = (low + high) / 2;
  return low;
}

/// How often the best of k in a row is below `bound`.
double share_of_best(std::span<const double> values, std::size_t k, double bound) {
  std::size_t below = 0, groups = 0;
  for (std::size_t i = 0; i + k <= values.size(); i += k, ++groups)
    below += std::ranges::min(values.subspan(i, k)) < bound;
  return static_cast<double>(below) / static_cast<double>(groups);
}

/// The curve of 1 - (1 - p)^k, and the measured points.
void plot_best_of(Lab& lab, double p, std::span<const double> values, double bound) {
  Series theory{.name = "1 - (1 - p)^k", .x = {}, .y = {}};
  Series found{.name = {"measured", "medido"}, .x = {}, .y = {}, .points = true};
  for (std::size_t k = 1; k <= 30; ++k) {
    for (Series* series : {&theory, &found}) series->x.push_back(static_cast<double>(k));
    theory.y.push_back(1 - std::pow(1 - p, k));
    found.y.push_back(share_of_best(values, k, bound));
  }
  lab.plot("best_of",
           {"how often the best of k starts is the best minimum",
            "quantas vezes o melhor de k inícios é o melhor mínimo"},
           {.title = {"The best of k starts", "O melhor de k inícios"},
            .x_name = "k",
            .y_name = {"share that finds the best minimum", "fração que encontra o melhor mínimo"},
            .series = {theory, found},
            .commands = "set yrange [0:1.05]\nset key bottom right inside"});
}

void plot_ways(Lab& lab, std::span<const std::vector<Place>> ways) {
  Plot plot{.title = {"Ways down", "Caminhos para baixo"},
            .x_name = "x",
            .y_name = "y",
            .series = {},
            .commands = "unset key\nset size ratio 1\n"};
  add_contours(plot, surface, {-border, -border}, {border, border}, {0.4, 1, 1.6, 2.2, 3, 4, 5});
  std::vector<Place> starts;
  for (const std::vector<Place>& way : ways) {
    starts.push_back(way.front());
    plot.series.push_back(series_of("", {way.begin(), way.begin() + 25}));
  }
  plot.series.push_back(series_of("", starts, true));
  lab.plot("surface", {"random starts and where they end", "inícios aleatórios e onde acabam"}, plot);
}

void on_a_surface(Lab& lab) {
  lab.section({"A surface with nine minima", "Uma superfície com nove mínimos"});
  lab.say("    f(x, y) = x^2 / 20 + 1 - cos(1.5 x) + y^2 / 20 + 1 - cos(1.5 y)");
  lab.say(
      {"The best minimum, f = 0, lies in the middle. Gradient descent (SGD, rate 0.1, 100 steps) goes "
       "downhill and stops in the minimum of the valley in which it started, whichever that is. Dots: "
       "random starts; coloured lines: their ways; grey: lines of equal f.",
       "O melhor mínimo, f = 0, está no meio. A descida do gradiente (SGD, taxa 0,1, 100 passos) vai para "
       "baixo e para no mínimo do vale em que começou, seja ele qual for. Pontos: inícios aleatórios; "
       "linhas de cor: os seus caminhos; a cinzento: linhas de f igual."});
  Rng rng(lab.seed());
  std::vector<Place> starts;
  for (int i = 0; i < 10000; ++i)
    starts.push_back({rng.uniform(-border, border), rng.uniform(-border, border)});
  const std::vector<std::vector<Place>> ways = walk(surface, Sgd{}, 0.1, starts, 100);
  plot_ways(lab, std::span(ways).first(30));

  std::vector<double> ends;
  for (const std::vector<Place>& way : ways) ends.push_back(surface.value(way.back()));
  const double side = crest() / border, p = side * side, bound = 0.1;
  const std::string border_text = lab.number(crest(), 3);
  lab.say({text("The valley of the best minimum is a square: its border is the crest at |x| = ", border_text,
                ", where f' = 0. Of starts that are spread evenly over 12 x 12, p = (", border_text,
                " / 6)^2 = ", lab.percent(p),
                " lie in it. All k of k starts miss it with probability (1 - p)^k. Measured with ",
                starts.size(), " starts, k at a time:"),
           text("O vale do melhor mínimo é um quadrado: o seu limite é a crista em |x| = ", border_text,
                ", onde f' = 0. De inícios espalhados por igual em 12 x 12, caem nele p = (", border_text,
                " / 6)^2 = ", lab.percent(p),
                ". Todos os k de k inícios o falham com probabilidade (1 - p)^k. Medido com ", starts.size(),
                " inícios, k de cada vez:")});
  plot_best_of(lab, p, ends, bound);
  const double one = share_of_best(ends, 1, bound), ten = share_of_best(ends, 10, bound);
  lab.check(
      {text("One start finds it in ", lab.percent(one), " of the cases, as predicted within 2 points"),
       text("Um início encontra-o em ", lab.percent(one), " dos casos, como previsto, a menos de 2 pontos")},
      std::abs(one - p) < 0.02);
  lab.check(
      {text("The best of ten finds it in ", lab.percent(ten), ", as predicted within 7 points"),
       text("O melhor de dez encontra-o em ", lab.percent(ten), ", como previsto, a menos de 7 pontos")},
      std::abs(ten - (1 - std::pow(1 - p, 10))) < 0.07);
}

/// The four points (+-1, +-1), class 1 where the signs differ.
Batch make_exclusive_or() {
  Batch points;
  points.images = Tensor({.n = 4, .c = 2});
  std::ranges::copy(matrix({{-1, -1}, {1, -1}, {-1, 1}, {1, 1}}).data(), points.images.data().begin());
  points.labels = {0, 1, 1, 0};
  return points;
}

TrainResult learn_exclusive_or(Graph& graph) {
  const Batch points = make_exclusive_or();
  OneBatch source(points);
  const std::array<std::string, 2> classes{"same", "different"};
  return train(graph, {.train = source, .classes = classes}, fixed_rate(400, Sgd{}, 0.3));
}

/// So many starts with seeds from `seed` on; the graph gets the best one's weights.
Restarts start_often(Graph& net, int runs, std::uint64_t seed) {
  return train_with_restarts(net, {.kind = Init::Kind::he_normal}, runs, seed, Metric::train_loss,
                             [](Graph& graph, std::uint64_t) { return learn_exclusive_or(graph); });
}

std::vector<double> sorted_values(const Restarts& restarts) {
  std::vector<double> values;
  for (const Restart& each : restarts.all) values.push_back(each.value);
  std::ranges::sort(values);
  return values;
}

double loss_of(const Graph& net) {
  const Batch points = make_exclusive_or();
  Executor executor(net, {.batch = 4});
  return cross_entropy({}, executor.forward(points.images.view()), points.labels);
}

void on_a_network(Lab& lab) {
  lab.section({"Exclusive or", "Ou exclusivo"});
  const double half = std::numbers::ln2 / 2,
               third = 0.75 * (std::log(3.0) / 3 + 2 * std::log(1.5) / 3);  // 3/4 of the entropy of 1/3
  lab.say(
      {text("Four points, (+-1, +-1), and whether their signs differ. Two hidden neurons (ReLU) can tell, "
            "but a start may leave points behind that the network cannot tell apart any more. With two "
            "such points of different classes the best loss is ln 2 / 2 = ",
            lab.number(half, 3), ", with three 3/4 H(1/3) = ", lab.number(third, 3),
            ". `train_with_restarts` (enxerto/train/trainer.h) trains from forty starts and keeps the best:"),
       text("Quatro pontos, (+-1, +-1), e se os sinais diferem. Dois neurónios escondidos (ReLU) chegam, "
            "mas um início pode deixar para trás pontos que a rede já não consegue distinguir. Com dois "
            "pontos assim, de classes diferentes, a melhor perda é ln 2 / 2 = ",
            lab.number(half, 3), "; com três, 3/4 H(1/3) = ", lab.number(third, 3),
            ". `train_with_restarts` (enxerto/train/trainer.h) treina a partir de quarenta inícios e guarda "
            "o melhor:")});
  constexpr int runs = 40;
  Plot plot{.title = {"Forty starts, sorted", "Quarenta inícios, por ordem"},
            .x_name = {"start", "início"},
            .y_name = {"loss", "perda"},
            .series = {},
            .commands = "set yrange [-0.02:0.6]"};
  std::vector<std::vector<std::string>> rows;
  std::vector<std::vector<double>> all;
  bool best_is_kept = true;
  for (const int hidden : {2, 4, 8}) {
    Graph net = make_mlp(2, {hidden, 2});
    const Restarts restarts = start_often(net, runs, 1000 * lab.seed());
    const std::vector<double>& values = all.emplace_back(sorted_values(restarts));
    best_is_kept = best_is_kept && restarts.all[restarts.best].value == values.front() &&
                   loss_of(net) <= values.front() + 1e-4;
    const double share = share_of_best(values, 1, 0.1);
    Series points{.name = {text(hidden, " neurons"), text(hidden, " neurónios")},
                  .x = std::vector<double>(values.size()),
                  .y = values,
                  .points = true};
    std::iota(points.x.begin(), points.x.end(), 1);
    plot.series.push_back(std::move(points));
    const double enough = share < 1 ? std::ceil(std::log(0.05) / std::log(1 - share)) : 1;
    rows.push_back({text(hidden), lab.percent(share, 0), lab.number(values.front(), 3),
                    lab.number(values[runs / 2], 3), lab.number(values.back(), 3), lab.number(enough, 0)});
  }
  lab.plot("exclusive_or", {"the losses of forty starts", "as perdas de quarenta inícios"}, plot);
  lab.table({{"hidden neurons", "neurónios escondidos"},
             {"solved (loss below 0.1)", "resolvido (perda abaixo de 0,1)"},
             {"best", "melhor"},
             {"median", "mediana"},
             {"worst", "pior"},
             {"starts for 95 %", "inícios para 95 %"}},
            rows);
  lab.say(
      {"The last column solves 1 - (1 - p)^k = 95 % for k. A wider network needs fewer starts: a neuron "
       "that is of no use costs it little. In large networks the minima that are found lie close together "
       "in their loss (Choromanska et al. 2015).",
       "A última coluna resolve 1 - (1 - p)^k = 95 % em ordem a k. Uma rede mais larga precisa de "
       "menos inícios: um neurónio inútil custa-lhe pouco. Em redes grandes os mínimos encontrados têm "
       "perdas próximas (Choromanska et al. 2015)."});
  lab.check({"With two neurons every start ends near 0, ln 2 / 2 or 3/4 H(1/3)",
             "Com dois neurónios cada início acaba perto de 0, de ln 2 / 2 ou de 3/4 H(1/3)"},
            std::ranges::all_of(all[0], [&](double loss) {
              return loss < 0.05 || std::abs(loss - half) < 0.03 || std::abs(loss - third) < 0.03;
            }));
  lab.check({"The best is solved and the worst is stuck: the start decides",
             "O melhor está resolvido e o pior ficou preso: o início decide"},
            all[0].front() < 0.05 && all[0].back() > 0.3);
  lab.check({"The graph has the weights of the best start", "O grafo fica com os pesos do melhor início"},
            best_is_kept);
  lab.check(
      {"Eight neurons are stuck less often than two", "Oito neurónios ficam presos menos vezes do que dois"},
      share_of_best(all[2], 1, 0.1) > share_of_best(all[0], 1, 0.1) + 0.2);
  Graph again = make_mlp(2, {2, 2});
  const Restarts few = start_often(again, 3, 1000 * lab.seed());
  Graph first = make_mlp(2, {2, 2});
  first.init({.kind = Init::Kind::he_normal}, Rng(1000 * lab.seed()));
  lab.check({"A start is a function of its seed: repeated alone, it ends at the same loss to the last bit",
             "Um início é função da sua semente: repetido sozinho, acaba na mesma perda até ao último bit"},
            learn_exclusive_or(first).best_value == few.all[0].value);
}

void on_mnist(Lab& lab) {
  lab.section({"LeNet-5 on MNIST", "A LeNet-5 no MNIST"});
  const Splits mnist = open_data(lab.data("mnist"));
  std::vector<std::int64_t> learned(8000), held_back(2000);
  std::iota(learned.begin(), learned.end(), 0);
  std::iota(held_back.begin(), held_back.end(), 8000);
  const Subset data(mnist.train, learned), val(mnist.train, held_back);
  TrainConfig config = fixed_rate(2, Momentum{}, 0.01);
  config.metric = Metric::val_top1;
  config.preprocess = Preprocess::of(Normalization::mnist, 28, 28, 1);
  Graph net = make_net("lenet5");
  const Restarts restarts =
      train_with_restarts(net, {}, 6, lab.seed(), config.metric, [&](Graph& graph, std::uint64_t seed) {
        config.seed = seed;
        return train(graph, data, &val, config);
      });
  std::vector<std::vector<std::string>> rows;
  for (const Restart& each : restarts.all) rows.push_back({text(each.seed), lab.percent(each.value, 2)});
  lab.say({"Six starts, two epochs each, 8,000 pictures to learn from and 2,000 to choose by:",
           "Seis inícios, duas épocas cada, 8000 imagens para aprender e 2000 para escolher:"});
  lab.table({{"seed", "semente"}, {"right, validation", "certas, validação"}}, rows);
  const double test = evaluate(net, *mnist.test, config.preprocess).top1();
  const std::vector<double> values = sorted_values(restarts);
  lab.say({text("The best of them has ", lab.percent(test, 2),
                " of the 10,000 test pictures right. That is the figure to quote: the one it was chosen by "
                "is too good by the choice itself."),
           text("O melhor deles acerta em ", lab.percent(test, 2),
                " das 10 000 imagens de teste. É este o número a citar: aquele por que foi escolhido é bom "
                "de mais pela própria escolha.")});
  lab.check({"The best is kept", "Fica o melhor"}, restarts.all[restarts.best].value == values.back());
  lab.check({"No start of this network is stuck: the worst has more than 85 % right",
             "Nenhum início desta rede fica preso: o pior acerta em mais de 85 %"},
            values.front() > 0.85);
}

int restarts(int argc, char** argv) {
  Lab lab("restarts", {"Several starts", "Vários inícios"},
          {"Gradient descent ends in some minimum, not in the best one. What is it worth to start several "
           "times?",
           "A descida do gradiente acaba num mínimo, não no melhor. Quanto vale começar várias vezes?"},
          argc, argv);
  use_threads(lab, "a minute");
  on_a_surface(lab);
  on_a_network(lab);
  if (lab.real()) on_mnist(lab);
  lab.say(
      {"With the command: `enxerto train DATA --net NAME --restarts 5` tries five starts for a fifth of "
       "the epochs and goes on with the best seed. (Warm restarts, Loshchilov & Hutter 2017, are another "
       "thing: one run whose rate jumps up again and again. The library has the cosine of that paper, not "
       "its restarts.)",
       "Com o comando: `enxerto train DADOS --net NOME --restarts 5` experimenta cinco inícios durante um "
       "quinto das épocas e continua com a melhor semente. (Os \"warm restarts\" de Loshchilov & Hutter "
       "2017 são outra coisa: um só treino cuja taxa volta a subir várias vezes. A biblioteca tem o "
       "cosseno desse artigo, não os recomeços.)"});
  return lab.finish();
}

}  // namespace
}  // namespace enxerto::lab

int main(int argc, char** argv) { return enxerto::lab::run(enxerto::lab::restarts, argc, argv); }
