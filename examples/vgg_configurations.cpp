// VGG A to E (Simonyan & Zisserman 2015): layers, parameters, work; three 3x3 convolutions for one of 7x7.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "enxerto/core/text.h"
#include "enxerto/graph/executor.h"
#include "enxerto/graph/summary.h"
#include "enxerto/zoo/zoo.h"
#include "examples/lab.h"

namespace enxerto::lab {
namespace {

/// A column of the paper's table 1, and of table 2 the millions of parameters.
struct Configuration {
  const char *letter, *net;
  int layers, millions;
};
constexpr std::array configurations{
    Configuration{"A", "vgg11", 11, 133}, Configuration{"A-LRN", "vgg11_lrn", 11, 133},
    Configuration{"B", "vgg13", 13, 133}, Configuration{"C", "vgg16_c", 16, 134},
    Configuration{"D", "vgg16", 16, 138}, Configuration{"E", "vgg19", 19, 144}};

/// Five stages, each ended by a max pooling, and the fully connected layers.
constexpr std::size_t stages = 6;

/// The stage of each node, in their order.
std::vector<std::size_t> stages_of(const Graph& net) {
  std::vector<std::size_t> made;
  std::size_t stage = 0;
  for (const Node& node : net.nodes()) {
    made.push_back(stage);
    stage += std::holds_alternative<MaxPool2d>(node.layer);
  }
  return made;
}

/// "conv3-64" as the paper has it, "LRN", "FC-4096"; empty for what has no place in table 1.
std::string name_in_paper(const AnyLayer& layer) {
  if (const auto* conv = std::get_if<Conv2d>(&layer)) return text("conv", conv->kernel.h, "-", conv->out);
  if (const auto* linear = std::get_if<Linear>(&layer)) return text("FC-", linear->out);
  return std::holds_alternative<LocalResponseNorm>(layer) ? "LRN" : "";
}

/// What each stage is made of: "2 conv3-256, conv1-256".
std::vector<std::string> cells_of(const Graph& net) {
  std::vector<std::vector<std::pair<std::string, int>>> counted(stages);
  const std::vector<std::size_t> stage = stages_of(net);
  for (std::size_t i = 0; i < stage.size(); ++i) {
    const std::string name = name_in_paper(net.nodes()[i].layer);
    if (name.empty()) continue;
    auto& cell = counted[stage[i]];
    if (cell.empty() || cell.back().first != name) cell.emplace_back(name, 0);
    ++cell.back().second;
  }
  std::vector<std::string> cells;
  for (const auto& cell : counted) {
    std::vector<std::string> parts;
    for (const auto& [name, count] : cell) parts.push_back(count > 1 ? text(count, " ", name) : name);
    cells.push_back(join(parts, ", "));
  }
  return cells;
}

std::int64_t weight_layers(const Graph& net) {
  return std::ranges::count_if(net.nodes(), [](const Node& node) { return !node.params.empty(); });
}

/// Of one network: parameters, multiply-adds and, where it was run, seconds of each stage.
struct Shares {
  std::array<double, stages> parameters{}, multiply_adds{}, seconds{};
};
double share(const std::array<double, stages>& of, std::size_t stage) {
  double sum = 0;
  for (const double part : of) sum += part;
  return of[stage] / sum;
}
Shares shares_of(const Graph& net, const Summary& summary) {
  Shares made;
  const std::vector<std::size_t> stage = stages_of(net);
  for (std::size_t i = 0; i < stage.size(); ++i) {
    made.parameters[stage[i]] += static_cast<double>(summary.layers[i].parameters);
    made.multiply_adds[stage[i]] += static_cast<double>(summary.layers[i].multiply_adds);
  }
  return made;
}

void show_table(Lab& lab) {
  lab.section({"Table 1, from our networks", "A tabela 1, a partir das nossas redes"});
  lab.say(
      {"conv3-64 is a 3x3 convolution with 64 filters (padding 1, then ReLU). After each of the first five "
       "rows comes a 2x2 max pooling, which halves the sides: 224, 112, 56, 28, 14, 7.",
       "conv3-64 é uma convolução de 3x3 com 64 filtros (padding 1, e depois ReLU). A seguir a cada uma das "
       "cinco primeiras linhas vem um max pooling de 2x2, que reduz os lados a metade: 224, 112, 56, 28, "
       "14, 7."});
  std::vector<Text> header{{"stage", "etapa"}};
  std::vector<std::vector<std::string>> rows, counts;
  for (std::size_t stage = 0; stage < stages; ++stage) rows.push_back({stage < 5 ? text(stage + 1) : "FC"});
  bool layers_right = true, millions_right = true;
  std::vector<std::int64_t> parameters;
  for (const Configuration& each : configurations) {
    const Graph net = make_net(each.net);
    const Summary summary = summarize(net);
    const std::vector<std::string> cells = cells_of(net);
    header.emplace_back(each.letter);
    for (std::size_t stage = 0; stage < stages; ++stage) rows[stage].push_back(cells[stage]);
    const double millions = static_cast<double>(summary.parameters) / 1e6;
    layers_right = layers_right && weight_layers(net) == each.layers;
    millions_right = millions_right && std::lround(millions) == each.millions;
    parameters.push_back(summary.parameters);
    counts.push_back({each.letter, each.net, text(weight_layers(net)), lab.number(millions, 2),
                      lab.number(static_cast<double>(summary.multiply_adds) / 1e9, 2)});
  }
  lab.table(header, rows);
  lab.table({"",
             {"our name", "o nosso nome"},
             {"layers with weights", "camadas com pesos"},
             {"million parameters", "milhões de parâmetros"},
             {"billion multiply-adds", "mil milhões de multiplicações-somas"}},
            counts);
  lab.check({"Layers with weights: 11, 11, 13, 16, 16, 19", "Camadas com pesos: 11, 11, 13, 16, 16, 19"},
            layers_right);
  lab.check(
      {"Rounded to millions the parameters are those of the paper's table 2: 133, 133, 133, 134, 138, 144",
       "Arredondados a milhões, os parâmetros são os da tabela 2 do artigo: 133, 133, 133, 134, 138, 144"},
      millions_right);
  lab.check({"Local response normalisation has no parameters: A-LRN has as many as A",
             "A normalização local (LRN) não tem parâmetros: A-LRN tem tantos como A"},
            parameters[0] == parameters[1]);
}

/// Runs the network on one picture, some times; the seconds of each stage.
std::array<double, stages> measured_seconds(Graph net) {
  std::map<std::string, std::size_t> stage_of_node;
  const std::vector<std::size_t> stage = stages_of(net);
  for (std::size_t i = 0; i < stage.size(); ++i) stage_of_node[net.nodes()[i].name] = stage[i];
  net.init({}, Rng(1));
  const Tensor picture(net.input_shape());
  Executor executor(std::move(net), {});
  for (int run = 0; run < 5; ++run) executor.forward(picture.view());
  std::array<double, stages> seconds{};
  for (const StepProfile& step : executor.profile())
    if (!step.node.empty()) seconds[stage_of_node.at(step.node)] += step.seconds;
  return seconds;
}

void show_where(Lab& lab) {
  lab.section({"Where the parameters lie and where the work is done (D)",
               "Onde estão os parâmetros e onde se faz o trabalho (D)"});
  Graph net = make_net("vgg16");
  const Summary summary = summarize(net);
  Shares shares = shares_of(net, summary);
  if (lab.real()) shares.seconds = measured_seconds(std::move(net));
  std::vector<Text> header{
      {"stage", "etapa"}, {"parameters", "parâmetros"}, {"multiply-adds", "multiplicações-somas"}};
  if (lab.real()) header.push_back({"time for one picture", "tempo para uma imagem"});
  std::vector<std::vector<std::string>> rows;
  for (std::size_t stage = 0; stage < stages; ++stage) {
    rows.push_back({stage < 5 ? text(stage + 1) : "FC", lab.percent(share(shares.parameters, stage)),
                    lab.percent(share(shares.multiply_adds, stage))});
    if (lab.real()) rows.back().push_back(lab.percent(share(shares.seconds, stage)));
  }
  lab.table(header, rows);

  Series parameters{{"parameters", "parâmetros"}, {}, {}},
      work{{"multiply-adds", "multiplicações-somas"}, {}, {}};
  std::int64_t first_linear = 0;
  for (const SummaryRow& row : summary.layers) {
    if (row.parameters == 0) continue;
    if (row.kind == Linear::kind && first_linear == 0) first_linear = row.parameters;
    for (Series* series : {&parameters, &work})
      series->x.push_back(static_cast<double>(series->x.size() + 1));
    parameters.y.push_back(100.0 * static_cast<double>(row.parameters) /
                           static_cast<double>(summary.parameters));
    work.y.push_back(100.0 * static_cast<double>(row.multiply_adds) /
                     static_cast<double>(summary.multiply_adds));
  }
  lab.plot("where", {"share of each layer", "parte de cada camada"},
           {.title = {"VGG-16 (D): the share of each layer", "VGG-16 (D): a parte de cada camada"},
            .x_name = {"layer with weights", "camada com pesos"},
            .y_name = "%",
            .series = {parameters, work},
            .commands = "set xrange [1:16]\nset xtics 1"});
  lab.say(
      {"A convolution uses each weight once per pixel of its answer, a fully connected layer once. So the "
       "convolutions have few weights and nearly all of the work, and the fully connected layers the "
       "reverse.",
       "Uma convolução usa cada peso uma vez por píxel da resposta, uma camada totalmente ligada uma só "
       "vez. Por isso as convoluções têm poucos pesos e quase todo o trabalho, e as camadas totalmente "
       "ligadas o contrário."});
  const std::int64_t wanted = std::int64_t{512} * 7 * 7 * 4096 + 4096;
  lab.check(
      {text("The first fully connected layer alone has 512 x 7 x 7 x 4096 + 4096 = ", first_linear,
            " parameters, three quarters of all or nearly (",
            lab.percent(static_cast<double>(first_linear) / static_cast<double>(summary.parameters)), ")"),
       text("Só a primeira camada totalmente ligada tem 512 x 7 x 7 x 4096 + 4096 = ", first_linear,
            " parâmetros, três quartos de todos ou quase (",
            lab.percent(static_cast<double>(first_linear) / static_cast<double>(summary.parameters)), ")")},
      first_linear == wanted && 4 * first_linear > 2.9 * static_cast<double>(summary.parameters));
  lab.check({"The convolutions have below a ninth of the parameters and above 99 % of the multiply-adds",
             "As convoluções têm menos de um nono dos parâmetros e mais de 99 % das multiplicações-somas"},
            share(shares.parameters, 5) > 8.0 / 9 && share(shares.multiply_adds, 5) < 0.01);
  if (lab.real())
    lab.check(
        {"The convolutions take more than half of the time; the fully connected layers more than twice "
         "their share of the multiply-adds, for one picture has to fetch all their weights",
         "As convoluções levam mais de metade do tempo; as camadas totalmente ligadas, mais do dobro da sua "
         "parte das multiplicações-somas, porque uma só imagem tem de ir buscar todos os pesos delas"},
        share(shares.seconds, 5) < 0.5 && share(shares.seconds, 5) > 2 * share(shares.multiply_adds, 5));
}

/// Convolutions of `kernel` x `kernel` one after the other, sides kept, without anything between them.
Graph stack(int layers, int kernel, int channels, int side) {
  Graph net;
  net.input({.c = channels, .h = side, .w = side});
  for (int i = 0; i < layers; ++i)
    net.add(text("conv", i), Conv2d{.out = channels, .kernel = kernel, .pad = kernel / 2, .bias = false},
            {net.last()});
  net.init({}, Rng(1));
  return net;
}

/// How much each input pixel moves the middle of the answer, channels added up: {1, 1, side, side}.
Tensor reach(const Graph& net) {
  const Shape shape = net.input_shape();
  const auto plane = static_cast<std::size_t>(shape.h * shape.w);
  Executor executor(net, {.train = true, .input_gradient = true});
  const Tensor picture(shape);
  executor.forward(picture.view());
  Tensor dout(shape);
  dout.data()[plane / 2] = 1;
  executor.backward(dout.view());
  const std::span<const float> gradient = executor.input_gradient().data;
  Tensor made({.h = shape.h, .w = shape.w});
  for (std::size_t i = 0; i < gradient.size(); ++i) made.data()[i % plane] += std::abs(gradient[i]);
  const float largest = std::ranges::max(made.data());
  for (float& value : made.data()) value /= largest;
  return made;
}

/// The side of the field around the middle whose every pixel has influence; 0 where influence is anywhere
/// else.
std::int64_t field_side(const Tensor& influence) {
  const std::int64_t side = influence.shape().h, middle = side / 2;
  for (std::int64_t radius = 0; radius <= middle; ++radius) {
    bool fits = true;
    for (std::int64_t i = 0; i < side * side; ++i) {
      const bool inside = std::max(std::abs(i / side - middle), std::abs(i % side - middle)) <= radius;
      fits = fits && (influence.data()[static_cast<std::size_t>(i)] > 1e-5f) == inside;
    }
    if (fits) return 2 * radius + 1;
  }
  return 0;
}

void show_three_for_seven(Lab& lab) {
  lab.section({"Three 3x3 for one 7x7", "Três 3x3 em vez de um 7x7"});
  lab.say(
      {"Why 3x3 everywhere? (section 2.3 of the paper.) Each layer lets a pixel of the answer see one pixel "
       "further on every side, so n layers see (2 n + 1) x (2 n + 1). We ask the network: which pixels of "
       "the picture have a gradient, if the middle pixel of the answer is the loss?",
       "Porquê 3x3 em todo o lado? (secção 2.3 do artigo.) Cada camada deixa um píxel da resposta ver mais "
       "um píxel para cada lado, e por isso n camadas veem (2 n + 1) x (2 n + 1). Perguntamos à rede: que "
       "píxeis da imagem têm gradiente, se o píxel do meio da resposta for o custo?"});
  constexpr int side = 13, channels = 64;
  struct Case {
    int layers, kernel;
    std::int64_t wanted;
  };
  std::vector<std::vector<std::string>> rows;
  std::vector<Image> images;
  std::vector<std::int64_t> weights;
  bool fields_right = true;
  for (const Case& each : {Case{1, 3, 3}, Case{2, 3, 5}, Case{3, 3, 7}, Case{1, 5, 5}, Case{1, 7, 7}}) {
    const Graph net = stack(each.layers, each.kernel, channels, side);
    const Tensor influence = reach(net);
    const std::int64_t seen = field_side(influence), count = summarize(net).parameters;
    fields_right = fields_right && seen == each.wanted;
    weights.push_back(count);
    images.push_back(as_picture(influence.view(), 0, 0, 1, 10));
    rows.push_back({text(each.layers, " x ", each.kernel, "x", each.kernel), text(seen, " x ", seen),
                    text(count / (channels * channels), " C^2"), text(count)});
  }
  lab.table({{"convolutions", "convoluções"},
             {"field seen", "campo visto"},
             {"weights", "pesos"},
             {"with C = 64 channels", "com C = 64 canais"}},
            rows);
  lab.picture("fields",
              {"how strongly each pixel counts, in the order of the table",
               "quanto conta cada píxel, pela ordem da tabela"},
              side_by_side(images));
  lab.check({"One, two, three layers of 3x3 see 3x3, 5x5, 7x7, all of it and nothing else",
             "Uma, duas, três camadas de 3x3 veem 3x3, 5x5, 7x7, tudo isso e mais nada"},
            fields_right);
  lab.check(
      {"Three 3x3 have 27 C^2 weights, one 7x7 has 49 C^2, 81 % more",
       "Três 3x3 têm 27 C^2 pesos, um 7x7 tem 49 C^2, mais 81 %"},
      weights[2] == 27 * channels * channels && weights[4] == 49 * channels * channels &&
          std::lround(100.0 * static_cast<double>(weights[4]) / static_cast<double>(weights[2])) == 181);
  lab.say(
      {"And between three layers there are three ReLUs in place of one: more that can be told apart, with "
       "fewer weights. The pictures show what the stack does besides: the middle counts most, since more "
       "paths lead there.",
       "E entre três camadas há três ReLUs em vez de uma: distingue-se mais, com menos pesos. As imagens "
       "mostram o que a pilha faz de caminho: o meio conta mais, porque há mais caminhos que lá levam."});
}

int vgg_configurations(int argc, char** argv) {
  Lab lab(
      "vgg_configurations", {"VGG, configurations A to E", "VGG, configurações A a E"},
      {"What do the six VGG networks consist of, where are their 140 million parameters, and why 3x3?",
       "De que se compõem as seis redes VGG, onde estão os seus 140 milhões de parâmetros, e porquê 3x3?"},
      argc, argv);
  lab.say(
      {"Simonyan & Zisserman, \"Very deep convolutional networks for large-scale image recognition\" "
       "(2015). The networks are built, not loaded: a graph knows its shapes, and weights that nobody "
       "touches take no memory.",
       "Simonyan & Zisserman, \"Very deep convolutional networks for large-scale image recognition\" "
       "(2015). As redes são construídas, não carregadas: um grafo sabe as suas formas, e pesos em que "
       "ninguém toca não ocupam memória."});
  if (lab.real())
    lab.say({"D is also run, with random weights: some seconds and a little over 1 GB of memory.",
             "A rede D também é executada, com pesos ao acaso: alguns segundos e pouco mais de 1 GB de "
             "memória."});
  show_table(lab);
  show_where(lab);
  show_three_for_seven(lab);
  return lab.finish();
}

}  // namespace
}  // namespace enxerto::lab

int main(int argc, char** argv) { return enxerto::lab::run(enxerto::lab::vgg_configurations, argc, argv); }
