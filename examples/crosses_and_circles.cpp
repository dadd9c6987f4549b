// Crosses and circles of 9x9 pixels, all the way through a small convolutional network (Rohrer's lecture).
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "enxerto/core/random.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/executor.h"
#include "enxerto/heads/logistic.h"
#include "enxerto/train/loss.h"
#include "enxerto/train/optimizer.h"
#include "examples/lab.h"

namespace enxerto::lab {
namespace {

constexpr int side = 9;
enum Kind : std::int32_t { cross, circle };

/// How a cross or a circle lies on its picture; as it stands: the lecture's.
struct Form {
  float right = 0, down = 0;     ///< shift in pixels
  float turn = 0;                ///< in degrees
  float size = 1, stroke = 0.5;  ///< stroke: half its width in pixels
};

/// Pixels of 1 where the stroke is, -1 elsewhere.
Tensor drawn(Kind kind, const Form& form) {
  Tensor picture({.h = side, .w = side});
  auto pixel = picture.data().begin();
  const float angle = (form.turn + 45) * std::numbers::pi_v<float> / 180;
  const float cosine = std::cos(angle), sine = std::sin(angle);
  const auto to_bar = [&](float along, float across) {
    return std::hypot(std::max(std::abs(along) - 4.25f * form.size, 0.0f), across);
  };
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      const float dx = static_cast<float>(x - side / 2) - form.right;
      const float dy = static_cast<float>(y - side / 2) - form.down;
      const float u = cosine * dx + sine * dy, v = cosine * dy - sine * dx;
      const float distance = kind == cross ? std::min(to_bar(u, v), to_bar(v, u))
                                           : std::abs(std::hypot(dx, dy) - 3.05f * form.size);
      *pixel++ = distance < form.stroke ? 1.0f : -1.0f;
    }
  return picture;
}

Form any_form(Rng& rng) {
  return {.right = rng.uniform(-1.5f, 1.5f),
          .down = rng.uniform(-1.5f, 1.5f),
          .turn = rng.uniform(-20, 20),
          .size = rng.uniform(0.75f, 1.05f),
          .stroke = rng.uniform(0.5f, 0.9f)};
}

/// Pictures {n, 1, 9, 9}, every other one a circle.
struct Pictures {
  Tensor x;
  std::vector<std::int32_t> labels;
};
Pictures any_pictures(std::int64_t count, std::uint64_t seed) {
  Pictures made{Tensor({.n = count, .h = side, .w = side}), {}};
  auto to = made.x.data().begin();
  for (std::int64_t i = 0; i < count; ++i) {
    Rng rng = Rng(seed).child(static_cast<std::uint64_t>(i));
    const Kind kind = i % 2 == 0 ? cross : circle;
    const Tensor picture = drawn(kind, any_form(rng));
    to = std::copy(picture.data().begin(), picture.data().end(), to);
    made.labels.push_back(kind);
  }
  return made;
}

/// The lecture's features: a diagonal, a small cross, the other diagonal.
constexpr std::array<std::array<float, 9>, 3> features{
    {{1, -1, -1, -1, 1, -1, -1, -1, 1}, {1, -1, 1, -1, 1, -1, 1, -1, 1}, {-1, -1, 1, -1, 1, -1, 1, -1, -1}}};

/// The network: what is left of the maps after pooling, 48 numbers, votes.
Graph network() {
  Graph net;
  const auto chain = [&](const char* name, AnyLayer layer) { net.add(name, std::move(layer), {net.last()}); };
  net.input({.h = side, .w = side});
  chain("conv", Conv2d{.out = 3, .kernel = 3});
  chain("relu", Activate{});
  chain("pool", MaxPool2d{.ceil_mode = true});
  chain("votes", Linear{.out = 2});
  auto weight = net.params()[0].value.data().begin();
  for (const auto& feature : features)
    for (const float value : feature) *weight++ = value / 9;
  return net;
}

/// What the network has made of pictures after one of its layers.
Tensor after(const Graph& net, const char* layer, ConstView pictures) {
  Graph part = net.clone();
  part.cut_after(layer);
  return answer(part, pictures);
}

std::int32_t winner(ConstView votes, std::int64_t row) {
  const auto* pair = votes.data.data() + 2 * row;
  return pair[cross] >= pair[circle] ? cross : circle;
}

double accuracy(const Graph& net, const Pictures& pictures) {
  const Tensor votes = answer(net, pictures.x.view());
  std::int64_t right = 0;
  for (std::int64_t i = 0; i < votes.shape().n; ++i)
    right += winner(votes.view(), i) == pictures.labels[static_cast<std::size_t>(i)];
  return static_cast<double>(right) / static_cast<double>(votes.shape().n);
}

/// How alike two pictures are, pixel by pixel: the mean of the products, 1 where all are equal.
double likeness(ConstView a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < b.size(); ++i) sum += double{a.data[i]} * b[i];
  return sum / static_cast<double>(b.size());
}

double accuracy_pixel_by_pixel(const Pictures& pictures) {
  const Tensor a = drawn(cross, {}), b = drawn(circle, {});
  std::size_t right = 0;
  for (std::size_t i = 0; i < pictures.labels.size(); ++i) {
    const auto picture = pictures.x.data().subspan(i * side * side, side * side);
    const Kind found = likeness(a.view(), picture) >= likeness(b.view(), picture) ? cross : circle;
    right += found == pictures.labels[i];
  }
  return static_cast<double>(right) / static_cast<double>(pictures.labels.size());
}

/// Each number cut after its second digit, as the lecture prints ninths: 7/9 is 0.77.
Tensor cut(ConstView ninths) {
  Tensor made(ninths.shape);
  std::ranges::transform(ninths.data, made.data().begin(), [](float value) {
    return static_cast<float>(std::trunc(100 * std::round(9.0 * value) / 9) / 100);
  });
  return made;
}

/// Whether the numbers, cut, begin with these hundredths.
bool begins_with(const Tensor& cut_numbers, const std::vector<int>& hundredths) {
  for (std::size_t i = 0; i < hundredths.size(); ++i)
    if (std::lround(100 * cut_numbers.data()[i]) != hundredths[i]) return false;
  return true;
}

/// Whether plain loops have the library's maps, rounding aside.
bool same_by_hand(ConstView picture, ConstView maps) {
  bool same = true;
  auto found = maps.data.begin();
  for (const auto& feature : features)
    for (std::size_t top = 0; top < 7; ++top)
      for (std::size_t left = 0; left < 7; ++left) {
        double sum = 0;
        for (std::size_t k = 0; k < 9; ++k)
          sum += double{feature[k]} * picture.data[(top + k / 3) * side + left + k % 3];
        same = same && std::abs(sum / 9 - *found) < 1e-6;
        ++found;
      }
  return same;
}

/// A picture and what becomes of it, stage by stage.
Image stages(const Graph& net, ConstView picture) {
  std::vector<Image> row{as_picture(picture, 0, -1, 1, 7)};
  const auto add = [&](const char* layer, int scale) {
    const Tensor maps = after(net, layer, picture);
    for (std::int64_t k = 0; k < 3; ++k) row.push_back(as_picture(maps.view(), k, -1, 1, scale));
  };
  add("conv", 9);
  add("relu", 9);
  add("pool", 16);
  return side_by_side(row);
}

/// Sets what each of the 48 numbers says for a cross and for a circle, by logistic regression: the
/// softmax and cross-entropy of a network's last layer, taken to their minimum.
void learn_votes(Graph& net, const Pictures& pictures) {
  const Tensor numbers = after(net, "pool", pictures.x.view());
  const ConstView rows{{.n = numbers.shape().n, .c = 48}, numbers.data()};
  LogisticConfig config;
  config.standardize = false;
  const LinearHead head = fit_logistic({.x = rows, .y = pictures.labels, .classes = 2}, config).head;
  std::ranges::copy(head.w.data(), net.params()[2].value.data().begin());
  std::ranges::copy(head.b.data(), net.params()[3].value.data().begin());
}

/// Everything by backpropagation, from random filters.
void learn_all(Graph& net, const Pictures& pictures, std::uint64_t seed) {
  net.init({}, Rng(seed));
  Executor executor(net, {.batch = static_cast<int>(pictures.x.shape().n), .train = true});
  const auto optimizer = make_optimizer(Adam{}, executor.updates());
  Tensor gradient({.n = pictures.x.shape().n, .c = 2});
  for (int step = 0; step < 150; ++step) {
    const ConstView votes = executor.forward(pictures.x.view(), step);
    cross_entropy({}, votes, pictures.labels, gradient.view());
    executor.backward(gradient.view());
    optimizer->step(executor.updates(), 0.03);
  }
  executor.store(net);
}

void show_lecture(Lab& lab, const Graph& net, const Tensor& x) {
  lab.section({"Three features slide over the cross", "Três características deslizam sobre a cruz"});
  lab.show({"The cross", "A cruz"}, x.view());
  Tensor filters({.c = 3, .h = 3, .w = 3});
  std::ranges::copy(std::span(features[0].data(), 27), filters.data().begin());
  lab.show({"The features: a diagonal, a small cross, the other diagonal",
            "As características: uma diagonal, uma cruz pequena, a outra diagonal"},
           filters.view());
  lab.say(
      {"At each place multiply the nine pixels with the nine of the feature, add up, divide by nine: 1 says "
       "that they are the same, -1 that each is the opposite. 9x9 pixels have 7x7 places. (We cut after two "
       "digits as the lecture does: 7/9 is 0.77.)",
       "Em cada posição, multiplicam-se os nove píxeis pelos nove da característica, soma-se e divide-se "
       "por nove: 1 diz que são iguais, -1 que todos são o contrário. 9x9 píxeis têm 7x7 posições. "
       "(Cortamos após dois algarismos, como na aula: 7/9 é 0,77.)"});
  const Tensor maps = after(net, "conv", x.view()), cut_maps = cut(maps.view());
  lab.show({"The three maps", "Os três mapas"}, cut_maps.view(), 2);
  lab.check({"Plain loops have the same 147 numbers", "Ciclos simples dão os mesmos 147 números"},
            same_by_hand(x.view(), maps.view()));
  lab.check(
      {"The diagonal's map is the lecture's: its first row, and 1.00 where a whole diagonal lies under it",
       "O mapa da diagonal é o da aula: a primeira linha, e 1,00 onde há uma diagonal inteira por baixo"},
      begins_with(cut_maps, {77, -11, 11,  33,  55, -11, 33, -11, 100, -11, 33, -11, 11, -11,
                             11, -11, 100, -33, 11, -11, 55, 33,  33,  -33, 55, -33, 33, 33}));
  const std::span<const float> small_cross = maps.data().subspan(49, 49);
  lab.check(
      {"The small cross fits in one place only, the middle", "A cruz pequena só encaixa num sítio, o meio"},
      std::lround(9 * small_cross[24]) == 9 &&
          std::ranges::count_if(small_cross, [](float v) { return std::lround(9 * v) == 9; }) == 1);

  lab.section({"ReLU, then max pooling", "ReLU e depois max pooling"});
  lab.say(
      {"ReLU makes every negative number 0. Max pooling keeps the largest of each 2x2 window, two steps "
       "apart; 7 is odd, so the last windows hang over the edge (the layer rounds up: ceil_mode), and 7x7 "
       "becomes 4x4.",
       "A ReLU torna 0 todos os números negativos. O max pooling guarda o maior de cada janela de 2x2, de "
       "dois em dois; como 7 é ímpar, as últimas janelas saem pela margem (a camada arredonda para cima: "
       "ceil_mode), e 7x7 passa a 4x4."});
  const Tensor pooled = after(net, "pool", x.view()), cut_pooled = cut(pooled.view());
  lab.show({"The three maps, pooled", "Os três mapas, depois do pooling"}, cut_pooled.view(), 2);
  lab.check({"The diagonal's pooled map is the lecture's, all sixteen",
             "O mapa da diagonal depois do pooling é o da aula, todos os dezasseis números"},
            begins_with(cut_pooled, {100, 33, 55, 33, 33, 100, 33, 55, 55, 33, 100, 11, 33, 55, 11, 77}));
}

/// Forms of both, what comparing pixels says and what the network says.
void show_forms(Lab& lab, const Graph& net) {
  struct Case {
    Kind kind;
    Text name;
    Form form;
  };
  const std::vector<Case> cases{{cross, {"cross", "cruz"}, {}},
                                {cross, {"shifted right", "deslocada para a direita"}, {.right = 1}},
                                {cross, {"shifted down", "deslocada para baixo"}, {.down = 1}},
                                {cross, {"turned by 15 degrees", "rodada 15 graus"}, {.turn = 15}},
                                {cross, {"thicker", "mais grossa"}, {.stroke = 0.9f}},
                                {cross, {"smaller", "mais pequena"}, {.size = 0.75f}},
                                {circle, {"circle", "círculo"}, {}},
                                {circle, {"shifted right", "deslocado para a direita"}, {.right = 1}},
                                {circle, {"down too", "e para baixo"}, {.right = 1, .down = 1}},
                                {circle, {"thicker", "mais grosso"}, {.stroke = 0.9f}},
                                {circle, {"smaller", "mais pequeno"}, {.size = 0.75f}}};
  const Tensor x = drawn(cross, {}), o = drawn(circle, {});
  std::vector<std::vector<std::string>> rows;
  std::vector<Image> images;
  std::size_t votes_right = 0, pixels_right = 0;
  for (const Case& each : cases) {
    const Tensor picture = drawn(each.kind, each.form);
    const double as_x = likeness(x.view(), picture.data()), as_o = likeness(o.view(), picture.data());
    const Tensor votes = answer(net, picture.view());
    const double share_x = 1 / (1 + std::exp(double{votes.data()[circle]} - votes.data()[cross]));
    votes_right += (share_x > 0.5) == (each.kind == cross);
    pixels_right += (as_x > as_o) == (each.kind == cross);
    images.push_back(as_picture(picture.view(), 0, -1, 1, 6));
    rows.push_back(
        {lab.in_language(each.name), lab.number(as_x, 2), lab.number(as_o, 2), lab.percent(share_x, 0)});
  }
  lab.picture("forms", {"crosses and circles of several forms", "cruzes e círculos de várias formas"},
              side_by_side(images));
  lab.table({{"picture", "imagem"},
             {"pixels like the cross", "píxeis como a cruz"},
             {"pixels like the circle", "píxeis como o círculo"},
             {"the network: cross", "a rede: cruz"}},
            rows);
  lab.check({text("Of these ", cases.size(), ", comparing pixels gets ", pixels_right,
                  " right and the network ", votes_right),
             text("Destas ", cases.size(), ", comparar píxeis acerta em ", pixels_right, " e a rede em ",
                  votes_right)},
            votes_right > pixels_right);
}

void show_votes(Lab& lab, Graph& net, const Pictures& train, const Pictures& test) {
  lab.section({"The votes", "Os votos"});
  learn_votes(net, train);
  const std::string count = text(train.labels.size());
  lab.say(
      {"After pooling three maps of 4x4 are left: 48 numbers. Each has a vote for the cross and one for the "
       "circle, and the larger sum wins. How much each vote says is learned from " +
           count +
           " pictures, shifted by up to 1.5 pixels, turned by up to 20 degrees, of different sizes and "
           "strokes.",
       "Depois do pooling sobram três mapas de 4x4: 48 números. Cada um tem um voto pela cruz e outro pelo "
       "círculo, e ganha a maior soma. Quanto pesa cada voto aprende-se de " +
           count +
           " imagens, deslocadas até 1,5 píxeis, rodadas até 20 graus, de vários tamanhos e traços."});
  const std::span<const float> w = net.params()[2].value.data();
  Tensor for_cross({.c = 3, .h = 4, .w = 4});
  for (std::size_t i = 0; i < 48; ++i) for_cross.data()[i] = w[i] - w[48 + i];
  lab.show({"The vote for the cross less that for the circle: diagonal, small cross, other diagonal",
            "O voto pela cruz menos o voto pelo círculo: diagonal, cruz pequena, outra diagonal"},
           for_cross.view(), 1);
  show_forms(lab, net);
  const double by_pixels = accuracy_pixel_by_pixel(test), by_votes = accuracy(net, test);
  lab.check({text("Of ", test.labels.size(), " new pictures, comparing pixels with the two models gets ",
                  lab.percent(by_pixels), " right and the network ", lab.percent(by_votes)),
             text("De ", test.labels.size(), " imagens novas, comparar píxeis com os dois modelos acerta em ",
                  lab.percent(by_pixels), " e a rede em ", lab.percent(by_votes))},
            by_votes > by_pixels + 0.02);
}

void show_learned(Lab& lab, const Graph& by_choice, const Pictures& train, const Pictures& test) {
  lab.section({"Nobody has to choose the features", "Ninguém tem de escolher as características"});
  lab.say(
      {"The same network, but all its numbers start at random and are learned by backpropagation, the "
       "features too; three starts.",
       "A mesma rede, mas todos os seus números começam ao acaso e são aprendidos por backpropagation, "
       "também as características; três começos."});
  std::vector<std::vector<std::string>> rows;
  double worst = 1;
  Graph net = network();
  for (const std::uint64_t seed : {1, 2, 3}) {
    learn_all(net, train, seed);
    const double share = accuracy(net, test);
    worst = std::min(worst, share);
    rows.push_back({text(seed), lab.percent(share)});
  }
  lab.table({{"start", "começo"}, {"right on the new pictures", "certas nas imagens novas"}}, rows);
  lab.show({"The features that the last one found", "As características que o último encontrou"},
           {{.c = 3, .h = 3, .w = 3}, net.params()[0].value.data()}, 1);
  lab.check({"Learned features do better than the ones that we chose, from each of the starts",
             "As características aprendidas acertam mais do que as que escolhemos, a partir de cada começo"},
            worst > accuracy(by_choice, test));
}

int crosses_and_circles(int argc, char** argv) {
  Lab lab(
      "crosses_and_circles", {"Crosses and circles", "Cruzes e círculos"},
      {"How does a convolutional network tell a cross from a circle when either may be shifted, turned or "
       "thicker?",
       "Como distingue uma rede convolucional uma cruz de um círculo, se qualquer deles pode vir deslocado, "
       "rodado ou mais grosso?"},
      argc, argv);
  set_threads(1);  // networks so small are done before threads meet, and figures are the same anywhere
  lab.say(
      {"After Brandon Rohrer, \"How do convolutional neural networks work?\" (2016): pictures of 9x9 "
       "pixels, 1 for the stroke and -1 for the paper.",
       "Segundo Brandon Rohrer, \"How do convolutional neural networks work?\" (2016): imagens de 9x9 "
       "píxeis, 1 para o traço e -1 para o papel."});
  const Tensor x = drawn(cross, {}), o = drawn(circle, {}), shifted = drawn(cross, {.right = 1});
  const double shifted_likeness = likeness(x.view(), shifted.data()),
               o_likeness = likeness(x.view(), o.data());
  lab.check(
      {text("Pixel by pixel (mean of the products) the cross is less like itself one pixel to the right (",
            lab.number(shifted_likeness, 2), ") than like the circle (", lab.number(o_likeness, 2), ")"),
       text(
           "Píxel a píxel (média dos produtos), a cruz é menos parecida consigo própria um píxel à direita (",
           lab.number(shifted_likeness, 2), ") do que com o círculo (", lab.number(o_likeness, 2), ")")},
      shifted_likeness < o_likeness);

  Graph net = network();
  show_lecture(lab, net, x);
  lab.picture("cross",
              {"the cross: picture, three maps, after ReLU, after pooling",
               "a cruz: imagem, três mapas, depois da ReLU, depois do pooling"},
              stages(net, x.view()));
  lab.picture("circle", {"the circle in the same way", "o círculo da mesma maneira"}, stages(net, o.view()));
  lab.say(
      {"White is 1, black -1, grey 0. The circle has diagonals too, but elsewhere, and the small cross fits "
       "it nowhere.",
       "O branco é 1, o preto -1, o cinzento 0. O círculo também tem diagonais, mas noutros sítios, e a "
       "cruz pequena não lhe encaixa em lado nenhum."});
  const Tensor o_maps = after(net, "conv", o.view());
  lab.check({"On the circle the small cross stays below 1 everywhere",
             "No círculo, a cruz pequena fica abaixo de 1 em todo o lado"},
            std::ranges::max(o_maps.data().subspan(49, 49)) < 0.99f);

  const std::int64_t count = lab.real() ? 4000 : 400;
  const Pictures train = any_pictures(count, 1), test = any_pictures(5 * count, 2);
  show_votes(lab, net, train, test);
  show_learned(lab, net, train, test);
  return lab.finish();
}

}  // namespace
}  // namespace enxerto::lab

int main(int argc, char** argv) { return enxerto::lab::run(enxerto::lab::crosses_and_circles, argc, argv); }
