// Skip connections and bottlenecks: what they cost, and what depth does without them.
#include <algorithm>
#include <array>
#include <memory>
#include <numeric>

#include "enxerto/core/text.h"
#include "enxerto/data/open.h"
#include "enxerto/data/shapes.h"
#include "enxerto/graph/summary.h"
#include "enxerto/train/loss.h"
#include "enxerto/zoo/chain.h"
#include "enxerto/zoo/zoo.h"
#include "examples/lab.h"
#include "examples/training.h"

namespace enxerto::lab {
namespace {

/// Names of two-layer and three-layer blocks of He et al. 2015, figure 5.
enum class Block { basic, bottleneck };

/// One block on so many channels, without its sum: what it costs lies in its convolutions.
Summary block_costs(Block block, int channels, int side) {
  Graph net;
  Chain x(net, net.input({.c = channels, .h = side, .w = side}));
  if (block == Block::basic) {
    x.then("conv1", Conv2d{.out = channels, .kernel = 3, .pad = 1, .bias = false});
    x.then("conv2", Conv2d{.out = channels, .kernel = 3, .pad = 1, .bias = false});
  } else {
    x.then("conv1", Conv2d{.out = channels / 4, .bias = false});
    x.then("conv2", Conv2d{.out = channels / 4, .kernel = 3, .pad = 1, .bias = false});
    x.then("conv3", Conv2d{.out = channels, .bias = false});
  }
  return summarize(net);
}

void costs(Lab& lab) {
  lab.section({"What a block costs", "Quanto custa um bloco"});
  lab.say(
      {"A basic block is two 3x3 convolutions: 2 x 9 c^2 = 18 c^2 weights on c channels. A bottleneck "
       "shrinks to c / 4 with a 1x1 convolution, works there with one 3x3, and widens again with a 1x1: "
       "c^2 / 4 + 9 c^2 / 16 + c^2 / 4 = 17 c^2 / 16 weights, a seventeenth. Each weight is used once per "
       "pixel, so the multiplications shrink alike. On four times the channels it costs about what a basic "
       "block does (He et al. 2015, \"Deep residual learning\", figure 5):",
       "Um bloco básico são duas convoluções de 3x3: 2 x 9 c^2 = 18 c^2 pesos em c canais. Um gargalo "
       "(bottleneck) encolhe para c / 4 com uma convolução de 1x1, trabalha aí com uma de 3x3 e volta a "
       "alargar com outra de 1x1: c^2 / 4 + 9 c^2 / 16 + c^2 / 4 = 17 c^2 / 16 pesos, um dezassete avos. "
       "Cada peso é usado uma vez por pixel, e por isso as multiplicações encolhem por igual. Com o "
       "quádruplo dos canais custa mais ou menos o mesmo que um bloco básico (He et al. 2015, \"Deep "
       "residual learning\", figura 5):"});
  constexpr int side = 56;
  const Summary basic = block_costs(Block::basic, 64, side), wide = block_costs(Block::basic, 256, side),
                bottleneck = block_costs(Block::bottleneck, 256, side);
  const Summary resnet34 = summarize(make_net("resnet34")), resnet50 = summarize(make_net("resnet50"));
  const auto row = [&](const Text& name, const Summary& summary) -> std::vector<std::string> {
    return {lab.in_language(name), lab.number(static_cast<double>(summary.parameters) / 1e6, 3),
            lab.number(static_cast<double>(summary.multiply_adds) / 1e6, 0)};
  };
  lab.table({"",
             {"parameters, millions", "parâmetros, milhões"},
             {"multiply-adds, millions", "multiplicações e somas, milhões"}},
            {row({"basic block, 64 channels, 56x56", "bloco básico, 64 canais, 56x56"}, basic),
             row({"basic block, 256 channels", "bloco básico, 256 canais"}, wide),
             row({"bottleneck, 256 channels", "gargalo, 256 canais"}, bottleneck),
             row({"ResNet-34: 16 basic blocks", "ResNet-34: 16 blocos básicos"}, resnet34),
             row({"ResNet-50: 16 bottlenecks", "ResNet-50: 16 gargalos"}, resnet50)});
  lab.check({"Counted and by the formulas: 18 c^2 and 17 c^2 / 16 weights",
             "Contados e pelas fórmulas: 18 c^2 e 17 c^2 / 16 pesos"},
            wide.parameters == 18 * 256 * 256 && bottleneck.parameters == 17 * 256 * 256 / 16 &&
                basic.parameters == 18 * 64 * 64);
  lab.check({"Each weight is used once per pixel", "Cada peso é usado uma vez por pixel"},
            wide.multiply_adds == wide.parameters * side * side &&
                bottleneck.multiply_adds == bottleneck.parameters * side * side);
  lab.check({"ResNet-50 has half as many layers again as ResNet-34, four times the channels between "
             "blocks, and costs less than a quarter more",
             "A ResNet-50 tem mais metade das camadas da ResNet-34, o quádruplo dos canais entre blocos, e "
             "custa menos de um quarto a mais"},
            4 * resnet50.multiply_adds < 5 * resnet34.multiply_adds);
}

/// The same network without its shortcuts: a sum is its first part alone.
Graph without_shortcuts(const Graph& net) {
  Graph plain;
  std::vector<NodeId> moved;  // where each node of `net` is now
  for (const Node& node : net.nodes()) {
    const auto from = [&] { return moved[static_cast<std::size_t>(node.inputs.front().index)]; };
    if (node.inputs.empty())
      moved.push_back(plain.input(node.out));
    else if (std::holds_alternative<Add>(node.layer))
      moved.push_back(from());
    else if (node.name.find(".shortcut.") != std::string::npos)
      moved.push_back({});  // nobody asks for what only the shortcuts needed
    else
      moved.push_back(plain.add(node.name, node.layer, {from()}));
  }
  return plain;
}

/// 2 * blocks + 2 layers with weights, built like those of He et al. 2015 for small pictures.
Graph make_small(int blocks) {
  constexpr int width = 8;
  Graph net;
  Chain x(net, net.input({.c = 1, .h = 12, .w = 12}));
  x.conv_bn("conv1", {.out = width, .kernel = 3, .stride = 2, .pad = 1}, "bn1").activate("relu1");
  for (int i = 1; i <= blocks; ++i) {
    const std::string block = text("block", i);
    const NodeId shortcut = x.end();
    x.conv_bn(block + ".conv1", {.out = width, .kernel = 3, .pad = 1}, block + ".bn1");
    x.activate(block + ".relu1");
    x.conv_bn(block + ".conv2", {.out = width, .kernel = 3, .pad = 1}, block + ".bn2");
    x.plus(block + ".add", shortcut).activate(block + ".relu2");
  }
  x.then("pool", GlobalAvgPool{}).then("fc", Linear{.out = 2});
  return net;
}

/// A network of so many layers, with or without its skip connections.
struct Case {
  int layers = 0;
  bool skips = false;
  Graph net;
};

/// What this lab trains on.
struct Task {
  std::shared_ptr<const Dataset> data;
  TrainConfig config;
  std::vector<Case> cases;
};

Task make_task(const Lab& lab) {
  Task task{.data = make_crosses_and_circles(256, 12, lab.seed()),
            .config = fixed_rate(12, Momentum{}, 0.01),
            .cases = {}};
  task.config.seed = lab.seed();
  task.config.preprocess = Preprocess::plain(12, 12, 1);
  if (lab.real()) {
    task.data = open_data(lab.data("photos/vehicles6")).train;
    task.config = fixed_rate(3, Momentum{}, 0.05);
    task.config.seed = lab.seed();
    task.config.preprocess = Preprocess::plain(32, 32, 3);
    task.config.workers = 2;
  }
  for (const int layers : lab.real() ? std::vector{20, 56} : std::vector{8, 20, 32, 56}) {
    const auto classes = static_cast<int>(task.data->classes().size());
    Graph net = lab.real() ? make_net(text("resnet", layers, "_cifar"), {.classes = classes})
                           : make_small((layers - 2) / 2);
    Graph plain = without_shortcuts(net);
    task.cases.push_back({layers, false, std::move(plain)});
    task.cases.push_back({layers, true, std::move(net)});
  }
  for (Case& each : task.cases) each.net.init({}, Rng(lab.seed()));
  return task;
}

/// Norms of the gradient by each layer's parameters before the first step.
std::vector<double> first_gradients(const Graph& net, const Task& task) {
  constexpr int batch_size = 128;
  Loader loader(*task.data, {.batch = batch_size,
                             .shuffle = true,
                             .seed = task.config.seed,
                             .preprocess = task.config.preprocess,
                             .augment = {}});
  loader.start(1);
  Batch batch;
  loader.next(batch);
  Executor executor(net, {.batch = batch_size, .train = true});
  const ConstView outputs = executor.forward(batch.images.view());
  Tensor gradient(outputs.shape);
  cross_entropy({}, outputs, batch.labels, gradient.view());
  executor.backward(gradient.view());
  std::vector<double> norms;
  for (const LayerSigns& layer : layer_signs(executor)) norms.push_back(layer.grad_norm);
  return norms;
}

std::vector<double> train_losses(Graph& net, const Task& task) {
  std::vector<double> losses;
  Listener listener;
  listener.heard = [&](const EpochReport& report, const Graph&) { losses.push_back(report.train_loss); };
  const std::array<Observer*, 1> observers{&listener};
  train(net, *task.data, nullptr, task.config, observers);
  return losses;
}

Series line_of(const Text& name, const std::vector<double>& values) {
  Series line{.name = name, .x = std::vector<double>(values.size()), .y = values};
  std::iota(line.x.begin(), line.x.end(), 1);
  return line;
}

void depth(Lab& lab) {
  lab.section(
      {"What depth does without them, and with them", "O que faz a profundidade sem elas, e com elas"});
  Task task = make_task(lab);
  lab.say({text("A block with a skip connection answers x + F(x), and on the way back the gradient passes "
                "the sum as it is: dL/dx = dL/dy (1 + dF/dx). Without it, everything has to go through "
                "every layer. Networks of basic blocks with batch norm learn ",
                lab.real() ? "the six kinds of vehicles at 32x32" : "crosses and circles",
                ", each with its skip connections and with these taken out (which changes no parameter); "
                "momentum, rate ",
                lab.number(task.config.schedule.base, 2), ", ", task.config.epochs, " epochs."),
           text("Um bloco com ligação de atalho responde x + F(x), e no caminho de volta o gradiente passa "
                "a soma tal como é: dL/dx = dL/dy (1 + dF/dx). Sem ela, tudo tem de atravessar todas as "
                "camadas. Redes de blocos básicos com batch norm aprendem ",
                lab.real() ? "os seis tipos de veículos a 32x32" : "cruzes e círculos",
                ", cada uma com as suas ligações e sem elas (o que não muda parâmetro nenhum); momento, "
                "taxa ",
                lab.number(task.config.schedule.base, 2), ", ", task.config.epochs, " épocas.")});
  Plot gradients{.title = {"Gradient of each layer before the first step",
                           "Gradiente de cada camada antes do primeiro passo"},
                 .x_name = {"layer", "camada"},
                 .y_name = {"norm", "norma"},
                 .series = {},
                 .log_y = true};
  Plot losses{.title = {"Training loss", "Perda de treino"},
              .x_name = {"epoch", "época"},
              .y_name = {"loss", "perda"},
              .series = {}};
  std::vector<std::vector<std::string>> rows;
  std::vector<double> ends, norms;
  const int least = task.cases.front().layers, most = task.cases.back().layers;
  bool same_parameters = true;
  for (std::size_t i = 0; i < task.cases.size(); ++i) {
    Case& each = task.cases[i];
    const std::vector<double> first = first_gradients(each.net, task), course = train_losses(each.net, task);
    const Text name{text(each.layers, each.skips ? " layers, skips" : " layers, plain"),
                    text(each.layers, each.skips ? " camadas, com atalhos" : " camadas, sem atalhos")};
    if (each.layers == least || each.layers == most) {
      gradients.series.push_back(line_of(name, first));
      losses.series.push_back(line_of(name, course));
    }
    const std::int64_t parameters = summarize(each.net).parameters;
    if (each.skips)
      same_parameters = same_parameters && parameters == summarize(task.cases[i - 1].net).parameters;
    ends.push_back(course.back());
    norms.push_back(first.front());
    rows.push_back({lab.in_language(name), text(parameters), lab.number(first.front(), 2),
                    lab.number(course.back(), 3)});
  }
  lab.plot("gradients", {"the gradient's norm, layer by layer", "a norma do gradiente, camada a camada"},
           gradients);
  lab.plot("losses", {"the training loss, epoch by epoch", "a perda de treino, época a época"}, losses);
  lab.table({{"network", "rede"},
             {"parameters", "parâmetros"},
             {"gradient of the first layer", "gradiente da primeira camada"},
             {"training loss at the end", "perda de treino no fim"}},
            rows);
  lab.say(
      {"A deeper network could do all that a shallow one does: its additional layers need only pass on "
       "what they get. That the plain one has the larger loss on its own training data is no overfitting: "
       "gradient descent does not get there (He et al. 2015, figures 1 and 6). Nor do its gradients "
       "vanish: batch norm keeps signals at their size, but with it gradients grow on their way back, "
       "layer by layer (Yang et al. 2019), and become like noise (Balduzzi et al. 2017). With skip "
       "connections the sums keep most of the way short.",
       "Uma rede mais funda podia fazer tudo o que faz uma menos funda: bastava às camadas a mais passar "
       "adiante o que recebem. Que a rede sem atalhos tenha a maior perda nos próprios dados de treino não "
       "é sobreajuste (overfitting): a descida do gradiente não chega lá (He et al. 2015, figuras 1 e 6). "
       "E os gradientes dela não desaparecem: o batch norm mantém o tamanho dos sinais, mas com ele os "
       "gradientes crescem no caminho de volta, camada a camada (Yang et al. 2019), e ficam como ruído "
       "(Balduzzi et al. 2017). Com atalhos, as somas mantêm curta a maior parte do caminho."});
  const std::size_t n = ends.size();
  lab.check({"Skip connections have no parameters", "As ligações de atalho não têm parâmetros"},
            same_parameters);
  lab.check({text("Plain, the network of ", most, " layers has a larger training loss than that of ", least),
             text("Sem atalhos, a rede de ", most, " camadas tem maior perda de treino do que a de ", least)},
            ends[n - 2] > ends[0] + 0.05);
  lab.check({text("With skip connections the one of ", most, " layers has a smaller loss than without"),
             text("Com atalhos, a de ", most, " camadas tem menor perda do que sem eles")},
            ends[n - 1] < ends[n - 2] - 0.1);
  lab.check({text("From ", least, " to ", most,
                  " layers the first layer's gradient grows more than ten times as much without skip "
                  "connections as with them"),
             text("De ", least, " para ", most,
                  " camadas, o gradiente da primeira camada cresce mais de dez vezes mais sem atalhos do "
                  "que com eles")},
            norms[n - 2] / norms[0] > 10 * norms[n - 1] / norms[1]);
}

int skip_connections(int argc, char** argv) {
  Lab lab("skip_connections", {"Skip connections", "Ligações de atalho (skip connections)"},
          {"What does a bottleneck save, and why do very deep networks need skip connections?",
           "Quanto poupa um gargalo, e porque precisam as redes muito fundas de ligações de atalho?"},
          argc, argv);
  use_threads(lab, "five minutes");
  costs(lab);
  depth(lab);
  return lab.finish();
}

}  // namespace
}  // namespace enxerto::lab

int main(int argc, char** argv) { return enxerto::lab::run(enxerto::lab::skip_connections, argc, argv); }
