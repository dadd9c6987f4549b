// Batch, iteration, epoch: what the size of a batch changes.
#include <algorithm>
#include <cmath>
#include <limits>

#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/data/open.h"
#include "enxerto/data/shapes.h"
#include "enxerto/train/trainer.h"
#include "enxerto/zoo/zoo.h"
#include "examples/lab.h"

namespace enxerto::lab {
namespace {

/// What all runs have in common: pictures, the network as it starts, the rate.
struct Task {
  std::shared_ptr<const Dataset> pictures, val;
  Graph start;
  TrainConfig config;
};

Task small_task() {
  Task task{make_crosses_and_circles(2000, 16, 1), make_crosses_and_circles(1000, 16, 2), {}, {}};
  Graph& net = task.start;
  const auto chain = [&](const char* name, AnyLayer layer) { net.add(name, std::move(layer), {net.last()}); };
  net.input({.c = 1, .h = 16, .w = 16});
  chain("conv1", Conv2d{.out = 8, .kernel = 3, .pad = 1});
  chain("relu1", Activate{});
  chain("pool1", MaxPool2d{});
  chain("conv2", Conv2d{.out = 16, .kernel = 3, .pad = 1});
  chain("relu2", Activate{});
  chain("pool2", MaxPool2d{});
  chain("flatten", Flatten{});
  chain("fc", Linear{.out = 2});
  task.config.epochs = 6;
  task.config.preprocess = Preprocess::of(Normalization::half, 16, 16, 1);
  return task;
}

Task mnist_task(const Lab& lab) {
  const Splits splits = open_data(lab.data("mnist"));
  Task task{splits.train, splits.test, make_net("lenet5"), {}};
  task.config.epochs = 3;
  task.config.preprocess = Preprocess::of(Normalization::mnist, 28, 28, 1);
  return task;
}

Task make_task(const Lab& lab) {
  Task task = lab.real() ? mnist_task(lab) : small_task();
  task.start.init({}, Rng(1));
  task.config.optimizer = Sgd{};
  task.config.schedule = {.curve = Schedule::Curve::constant, .base = lab.real() ? 0.002 : 0.005};
  return task;
}

/// Remembers what validation says after each epoch.
struct Losses final : Observer {
  std::vector<double> epochs, losses;
  bool on_epoch(const EpochReport& report, const Graph&, const TrainState&) override {
    epochs.push_back(report.epoch);
    losses.push_back(report.val->loss);
    return true;
  }
};

/// The task's run with this batch and rate, always from the same start.
struct Run {
  int batch = 0;
  double rate = 0;
  std::vector<double> epochs = {}, losses = {};
  bool diverged = false;
  double end() const { return diverged ? std::numeric_limits<double>::infinity() : losses.back(); }
};
Run trained(const Task& task, int batch, double rate) {
  Graph net = task.start.clone();
  TrainConfig config = task.config;
  config.batch = batch;
  config.schedule.base = rate;
  Losses heard;
  Observer* const observer = &heard;
  Run run{.batch = batch, .rate = rate};
  try {
    train(net, *task.pictures, task.val.get(), config, {&observer, 1});
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::diverged) throw;
    run.diverged = true;
  }
  run.epochs = std::move(heard.epochs);
  run.losses = std::move(heard.losses);
  return run;
}

Plot by_epoch(const Text& title, const std::vector<Run>& runs, const Lab& lab) {
  Plot plot{.title = title,
            .x_name = {"epoch", "época"},
            .y_name = {"loss on new pictures", "custo em imagens novas"},
            .series = {},
            .log_y = true};
  for (const Run& run : runs) {
    const std::string batch = text(run.batch), rate = lab.number(run.rate, 3);
    plot.series.push_back(
        {{"batch " + batch + ", rate " + rate, "lote " + batch + ", taxa " + rate}, run.epochs, run.losses});
  }
  return plot;
}

void show_counts(Lab& lab, std::int64_t pictures, int epochs) {
  lab.section({"Counting", "Contar"});
  lab.say(
      {"An iteration is one update of the weights, from one batch; an epoch is once through all pictures. "
       "The trainer takes whole batches only: what is left over waits for the next epoch, whose order is "
       "another.",
       "Uma iteração é uma atualização dos pesos, a partir de um lote (batch); uma época é uma passagem por "
       "todas as imagens. O treino só usa lotes inteiros: o que sobra fica para a época seguinte, que tem "
       "outra ordem."});
  std::vector<std::vector<std::string>> rows;
  for (const int batch : {1, 8, 64, 500, 2000}) {
    const std::int64_t steps = steps_per_epoch(pictures, batch);
    rows.push_back({text(batch), text(steps), text(pictures - steps * batch), text(epochs * steps)});
  }
  lab.table({{"batch", "lote"},
             {"iterations an epoch", "iterações por época"},
             {"left over", "sobram"},
             {text("updates in ", epochs, " epochs"), text("atualizações em ", epochs, " épocas")}},
            rows);
  lab.check({"2000 pictures in batches of 500 are 4 iterations an epoch",
             "2000 imagens em lotes de 500 são 4 iterações por época"},
            steps_per_epoch(2000, 500) == 4);
}

void show_training(Lab& lab, const Task& task) {
  lab.section({"As many epochs, fewer updates", "As mesmas épocas, menos atualizações"});
  const double rate = task.config.schedule.base;
  std::vector<Run> same;
  for (const int batch : {1, 8, 64, 500}) same.push_back(trained(task, batch, rate));
  std::vector<Run> scaled{same[0]};
  for (const int batch : {8, 64, 500}) scaled.push_back(trained(task, batch, batch * rate));
  lab.say(
      {"One network, one start, one rate, plain gradient descent; only the batch differs. Every run sees "
       "each picture as often.",
       "Uma rede, um começo, uma taxa de aprendizagem, descida do gradiente simples; só o lote muda. Cada "
       "treino vê cada imagem o mesmo número de vezes."});
  lab.plot("same_rate", {"loss by epoch, one rate for all", "custo por época, a mesma taxa para todos"},
           by_epoch({"One rate for all", "A mesma taxa para todos"}, same, lab));
  lab.check(
      {"After the same epochs the smaller batch is always ahead: it took more steps of the same length",
       "Depois das mesmas épocas, o lote mais pequeno vai sempre à frente: deu mais passos do mesmo tamanho"},
      std::ranges::is_sorted(same, {}, &Run::end));
  lab.say(
      {"A batch of 64 makes one step where a batch of 1 makes 64, but its direction is the mean of 64. So "
       "let it step 64 times as far: the linear scaling rule (Goyal et al. 2017). It holds while the "
       "weights hardly move during those 64 steps, and no longer.",
       "Um lote de 64 dá um passo onde um lote de 1 dá 64, mas a sua direção é a média de 64. Que dê então "
       "um passo 64 vezes maior: é a regra da escala linear (Goyal et al. 2017). Vale enquanto os pesos "
       "quase não mudam durante esses 64 passos, e não mais do que isso."});
  lab.plot("scaled_rate", {"loss by epoch, the rate times the batch", "custo por época, a taxa vezes o lote"},
           by_epoch({"The rate times the batch", "A taxa vezes o lote"}, scaled, lab));
  const auto end = [&](const Run& run) {
    return run.diverged ? std::string("NaN") : lab.number(run.end(), 3);
  };
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < same.size(); ++i)
    rows.push_back({text(same[i].batch), end(same[i]), end(scaled[i])});
  lab.table({{"batch", "lote"},
             {"loss at the end, one rate", "custo no fim, a mesma taxa"},
             {"the rate times the batch", "a taxa vezes o lote"}},
            rows);
  lab.check({"With the rate times the batch, 8 and 64 end less than half as far from where 1 ends",
             "Com a taxa vezes o lote, 8 e 64 acabam a menos de metade da distância de onde 1 acaba"},
            std::abs(scaled[1].end() - same[0].end()) < (same[1].end() - same[0].end()) / 2 &&
                std::abs(scaled[2].end() - same[0].end()) < (same[2].end() - same[0].end()) / 2);
  lab.check({"At 500 the rule has broken: worse than 64", "Em 500 a regra já não vale: pior do que 64"},
            scaled[3].end() > 1.5 * scaled[2].end());
  lab.say(
      {"Steps that long throw the network out of where it can learn. (ln C, for C classes, is the loss of "
       "one that says the same of every picture: all its ReLUs may have died.)",
       "Passos tão longos atiram a rede para fora de onde pode aprender. (ln C, para C classes, é o custo "
       "de uma que diz o mesmo de todas as imagens: podem ter morrido todas as suas ReLUs.)"});
}

/// All pictures of a dataset as a network takes them.
struct Inputs {
  Tensor x;
  std::vector<std::int32_t> labels;
};
Inputs inputs_of(const Task& task) {
  Shape shape = task.config.preprocess.shape();
  const auto row = static_cast<std::size_t>(shape.size());
  shape.n = task.pictures->size();
  Inputs made{Tensor(shape), labels_of(*task.pictures)};
  for (std::int64_t i = 0; i < shape.n; ++i)
    task.config.preprocess.apply(task.pictures->get(i).image,
                                 made.x.data().subspan(static_cast<std::size_t>(i) * row, row));
  return made;
}

/// Gradients of batches of one size, at the network as it starts.
class Gradients {
 public:
  Gradients(const Task& task, const Inputs& inputs, int batch)
      : inputs_(inputs), executor_(task.start, {.batch = batch, .train = true}) {
    Shape shape = inputs.x.shape();
    shape.n = batch;
    images_ = Tensor(shape);
    douts_ = Tensor({.n = batch, .c = task.start.output_shape().c});
  }
  /// Of the mean loss of these pictures: all parameters' in a row.
  std::vector<double> of(std::span<const std::size_t> pictures) {
    const std::size_t row = images_.data().size() / pictures.size();
    std::vector<std::int32_t> labels;
    for (std::size_t i = 0; i < pictures.size(); ++i) {
      std::ranges::copy(inputs_.x.data().subspan(pictures[i] * row, row),
                        images_.data().begin() + static_cast<std::ptrdiff_t>(i * row));
      labels.push_back(inputs_.labels[pictures[i]]);
    }
    cross_entropy({}, executor_.forward(images_.view()), labels, douts_.view());
    executor_.backward(douts_.view());
    std::vector<double> gradient;
    for (std::size_t i = 0; i < executor_.updates().size(); ++i) {
      // The kernels keep it in an order of their own, which depends on the batch.
      const Tensor plain = executor_.unpack(i, executor_.updates()[i].grad);
      gradient.insert(gradient.end(), plain.data().begin(), plain.data().end());
    }
    return gradient;
  }

 private:
  const Inputs& inputs_;
  Executor executor_;
  Tensor images_, douts_;
};

double square_distance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

/// The slope of the line through (log x, log y) by least squares.
double log_slope(const std::vector<double>& x, const std::vector<double>& y) {
  double mean_x = 0, mean_y = 0, products = 0, squares = 0;
  const auto n = static_cast<double>(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    mean_x += std::log(x[i]) / n;
    mean_y += std::log(y[i]) / n;
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    products += (std::log(x[i]) - mean_x) * (std::log(y[i]) - mean_y);
    squares += std::pow(std::log(x[i]) - mean_x, 2);
  }
  return products / squares;
}

void show_noise(Lab& lab, const Task& task) {
  lab.section({"How noisy is a gradient?", "Quanto ruído tem um gradiente?"});
  const Inputs inputs = inputs_of(task);
  const std::size_t n = inputs.labels.size();
  Gradients single(task, inputs, 1);
  std::vector<double> mean;
  double squares = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::vector<double> gradient = single.of({&i, 1});
    mean.resize(gradient.size());
    for (std::size_t k = 0; k < mean.size(); ++k) mean[k] += gradient[k] / static_cast<double>(n);
    squares += square_distance(gradient, std::vector<double>(gradient.size())) / static_cast<double>(n);
  }
  const double length = square_distance(mean, std::vector<double>(mean.size())),
               single_variance = squares - length;

  std::vector<double> batches, variances, wanted;
  Rng rng(3);
  constexpr int draws = 300;
  for (const int batch : {1, 4, 16, 64, 256}) {
    Gradients gradients(task, inputs, batch);
    double variance = 0;
    for (int draw = 0; draw < draws; ++draw) {
      std::vector<std::size_t> pictures(static_cast<std::size_t>(batch));
      for (std::size_t& picture : pictures) picture = rng.below(n);
      variance += square_distance(gradients.of(pictures), mean) / draws;
    }
    batches.push_back(batch);
    variances.push_back(variance);
    wanted.push_back(single_variance / batch);
  }
  lab.say(
      {text("The gradient of a batch is an estimate of the gradient over all ", n,
            " pictures. Its variance, the mean square distance from that, is taken over ", draws,
            " random batches of each size, at the network as it starts. The mean of b independent draws has "
            "1/b of the variance of one."),
       text("O gradiente de um lote é uma estimativa do gradiente sobre todas as ", n,
            " imagens. A sua variância, a distância quadrática média a este, mede-se em ", draws,
            " lotes ao acaso de cada tamanho, com a rede tal como começa. A média de b sorteios "
            "independentes tem 1/b da variância de um.")});
  lab.plot("noise", {"variance of the gradient by batch", "variância do gradiente por lote"},
           {.title = {"Variance of the gradient", "Variância do gradiente"},
            .x_name = {"batch", "lote"},
            .y_name = {"variance", "variância"},
            .series = {{{"of one picture / b", "de uma imagem / b"}, batches, wanted},
                       {{"measured", "medida"}, batches, variances, true}},
            .log_x = true,
            .log_y = true,
            .commands = "set format y '10^{%L}'"});
  const double slope = log_slope(batches, variances);
  lab.check({text("The variance falls as 1/b: on logarithmic axes the slope is ", lab.number(slope, 2)),
             text("A variância cai como 1/b: em eixos logarítmicos, o declive é ", lab.number(slope, 2))},
            std::abs(slope + 1) < 0.1);
  lab.say(
      {text("So 100 times the pictures make a direction only 10 times as exact (the standard deviation), "
            "and beyond a point that is worth nothing: once the noise is shorter than the gradient itself. "
            "That is at a batch of v / |g|^2, where v is the variance of one picture's gradient and g the "
            "gradient over all: the simple noise scale of McCandlish et al. 2018. Here, at the start, it is ",
            lab.number(single_variance / length, 0), "."),
       text("Por isso, 100 vezes mais imagens fazem uma direção só 10 vezes mais exata (o desvio padrão), e "
            "a partir de certo ponto isso já não vale nada: quando o ruído já é menor do que o próprio "
            "gradiente. É o caso com um lote de v / |g|^2, em que v é a variância do gradiente de uma "
            "imagem e g o gradiente sobre todas: a escala de ruído simples de McCandlish et al. 2018. Aqui, "
            "no começo, vale ",
            lab.number(single_variance / length, 0), ".")});
}

int batch_size(int argc, char** argv) {
  Lab lab(
      "batch_size", {"The size of a batch", "O tamanho do lote"},
      {"Of 2000 pictures in batches of 500, how many iterations are an epoch; and what else does the size "
       "of a batch change?",
       "Com 2000 imagens em lotes de 500, quantas iterações tem uma época; e que mais muda com o tamanho do "
       "lote?"},
      argc, argv);
  set_threads(1);  // networks so small are done before threads meet, and figures are the same anywhere
  if (lab.real())
    lab.say({"LeNet-5 on 10 000 digits of MNIST: a minute or a few.",
             "LeNet-5 com 10 000 algarismos do MNIST: um minuto ou poucos."});
  const Task task = make_task(lab);
  show_counts(lab, task.pictures->size(), task.config.epochs);
  show_training(lab, task);
  show_noise(lab, task);
  return lab.finish();
}

}  // namespace
}  // namespace enxerto::lab

int main(int argc, char** argv) { return enxerto::lab::run(enxerto::lab::batch_size, argc, argv); }
