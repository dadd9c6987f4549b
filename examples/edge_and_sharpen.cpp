// The classic 3x3 kernels on a picture: one convolution layer of nine filters.
#include <algorithm>
#include <array>
#include <cmath>

#include "enxerto/core/text.h"
#include "enxerto/image/contact_sheet.h"
#include "enxerto/image/decode.h"
#include "enxerto/image/resize.h"
#include "examples/lab.h"

namespace enxerto::lab {
namespace {

/// Nine weights, row by row, and which answers become black and white in a picture.
struct Kernel {
  const char* name;
  std::array<float, 9> weights;
  float black, white;
};
constexpr float ninth = 1.0f / 9;
constexpr std::array kernels{
    Kernel{"identity", {0, 0, 0, 0, 1, 0, 0, 0, 0}, 0, 1},
    Kernel{"box blur", {ninth, ninth, ninth, ninth, ninth, ninth, ninth, ninth, ninth}, 0, 1},
    Kernel{"sharpen", {0, -1, 0, -1, 5, -1, 0, -1, 0}, 0, 1},
    Kernel{"emboss", {-2, -1, 0, -1, 1, 1, 0, 1, 2}, 0, 1},
    Kernel{"Laplacian", {0, 1, 0, 1, -4, 1, 0, 1, 0}, -1, 1},
    Kernel{"Sobel x", {-1, 0, 1, -2, 0, 2, -1, 0, 1}, -2, 2},
    Kernel{"Sobel y", {-1, -2, -1, 0, 0, 0, 1, 2, 1}, -2, 2},
    Kernel{"Prewitt x", {-1, 0, 1, -1, 0, 1, -1, 0, 1}, -1.5, 1.5},
    Kernel{"Prewitt y", {-1, -1, -1, 0, 0, 0, 1, 1, 1}, -1.5, 1.5},
};
enum Place : std::size_t {
  identity,
  box_blur,
  sharpen,
  emboss,
  laplacian,
  sobel_x,
  sobel_y,
  prewitt_x,
  prewitt_y
};

/// What counts as equal: floats are rounded, and brightness lies between 0 and 1.
constexpr float rounding = 1e-5f;

/// All nine answers {9, h - 2, w - 2} to a picture {1, h, w}.
Tensor filtered(ConstView picture) {
  Graph graph;
  const NodeId input = graph.input(picture.shape);
  graph.add("filters", Conv2d{.out = static_cast<int>(kernels.size()), .kernel = 3, .bias = false}, {input});
  auto to = graph.params()[0].value.data().begin();
  for (const Kernel& kernel : kernels) to = std::copy(kernel.weights.begin(), kernel.weights.end(), to);
  return answer(graph, picture);
}

/// One filter of any size, without padding.
Tensor filtered(ConstView picture, ConstView kernel) {
  Graph graph;
  const NodeId input = graph.input(picture.shape);
  const Size2 size(static_cast<int>(kernel.shape.h), static_cast<int>(kernel.shape.w));
  graph.add("filter", Conv2d{.out = 1, .kernel = size, .bias = false}, {input});
  std::copy(kernel.data.begin(), kernel.data.end(), graph.params()[0].value.data().begin());
  return answer(graph, picture);
}

ConstView channel(const Tensor& of, std::size_t k) {
  const Shape shape{.h = of.shape().h, .w = of.shape().w};
  const auto size = static_cast<std::size_t>(shape.size());
  return {shape, of.data().subspan(k * size, size)};
}

/// A picture whose value at row y and column x is value(y, x).
template <class F>
Tensor made(std::int64_t height, std::int64_t width, const F& value) {
  Tensor picture({.h = height, .w = width});
  auto to = picture.data().begin();
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x) *to++ = static_cast<float>(value(y, x));
  return picture;
}

float at(ConstView picture, std::int64_t y, std::int64_t x) {
  return picture.data[static_cast<std::size_t>(y * picture.shape.w + x)];
}

Tensor transposed(ConstView picture) {
  return made(picture.shape.w, picture.shape.h, [&](auto y, auto x) { return at(picture, x, y); });
}

/// A kernel at one place, with a pencil.
float by_hand(ConstView picture, const Kernel& kernel, std::int64_t top, std::int64_t left) {
  float sum = 0;
  for (std::int64_t y = 0; y < 3; ++y)
    for (std::int64_t x = 0; x < 3; ++x)
      sum += kernel.weights[static_cast<std::size_t>(3 * y + x)] * at(picture, top + y, left + x);
  return sum;
}

bool same(ConstView a, ConstView b) {
  return a.shape == b.shape &&
         std::ranges::equal(a.data, b.data, [](float x, float y) { return std::abs(x - y) < rounding; });
}

bool everywhere(ConstView values, float wanted) {
  return std::ranges::all_of(values.data, [&](float value) { return std::abs(value - wanted) < rounding; });
}

/// The mean square of the Laplacian's answers: how much fine detail a picture has.
double detail(ConstView picture) {
  double sum = 0;
  const Tensor maps = filtered(picture);
  const ConstView answers = channel(maps, laplacian);
  for (const float value : answers.data) sum += double{value} * value;
  return sum / static_cast<double>(answers.data.size());
}

bool in_triangle(float x, float y, float apex_x, float apex_y, float base_y, float half) {
  return y >= apex_y && y <= base_y && std::abs(x - apex_x) <= half * (y - apex_y) / (base_y - apex_y);
}

/// Brightness of a drawn scene: sky, sun, a hill, a house, a fence.
float scene_at(float x, float y) {
  const auto between = [](float value, float low, float high) { return value >= low && value < high; };
  if (between(x, 84, 104) && between(y, 118, 150)) return 0.15f;                              // door
  if ((between(x, 58, 74) || between(x, 114, 130)) && between(y, 102, 118)) return 0.95f;     // windows
  if (between(x, 48, 140) && between(y, 92, 150)) return 0.6f;                                // house
  if (in_triangle(x, y, 94, 54, 92, 58)) return 0.3f;                                         // roof
  if (between(x, 160, 236) && between(y, 126, 152) && std::fmod(x, 10.0f) < 4) return 0.85f;  // fence
  if (y > 140 - 14 * std::sin(x / 60)) return 0.4f - 0.1f * (y - 120) / 60;                   // hill
  if (std::hypot(x - 198, y - 42) < 22) return 1.0f;                                          // sun
  return 0.55f + 0.25f * y / 140;                                                             // sky
}

/// The scene, each pixel the mean of 4x4 points.
Tensor drawn_scene() {
  return made(180, 240, [](auto y, auto x) {
    float sum = 0;
    for (int i = 0; i < 16; ++i)
      sum += scene_at(static_cast<float>(x) + static_cast<float>(i % 4) / 4,
                      static_cast<float>(y) + static_cast<float>(i / 4) / 4);
    return sum / 16;
  });
}

Tensor photo(const Lab& lab) {
  const Image whole = load_image(lab.data("photos/imagenet_check/n03272562_electric_locomotive.JPEG"), 1);
  const Image image = resize(whole, 240, 240 * whole.height / whole.width);
  return made(image.height, image.width,
              [&](auto y, auto x) { return image.row(static_cast<int>(y))[x] / 255.0f; });
}

/// The picture and how fast its brightness changes there, sqrt(Sobel x^2 + Sobel y^2).
Image with_its_edges(ConstView picture, const Tensor& maps) {
  const ConstView x = channel(maps, sobel_x), y = channel(maps, sobel_y);
  Tensor slope(x.shape);
  for (std::size_t i = 0; i < x.data.size(); ++i) slope.data()[i] = std::hypot(x.data[i], y.data[i]);
  return side_by_side({as_picture(picture, 0, 0, 1), as_picture(slope.view(), 0, 0, 2)});
}

/// What is true of each kernel by itself: its sum, a flat picture, a ramp.
void check_kernels(Lab& lab) {
  lab.section({"What each kernel does to what is simple", "O que faz cada kernel ao que é simples"});
  lab.say(
      {"On a flat picture a kernel answers the brightness times the sum of its weights. So a kernel whose "
       "weights add up to 1 leaves flat areas as they are, and one whose weights add up to 0 sees only "
       "changes. On a ramp, which grows by 0.01 from a column to the next, Sobel x weighs 8 steps and "
       "Prewitt x 6: both measure the slope, the first derivative. The Laplacian is the second derivative, "
       "and a ramp has none.",
       "Numa imagem uniforme, um kernel responde com o brilho vezes a soma dos seus pesos. Por isso um "
       "kernel cujos pesos somam 1 deixa as zonas uniformes como estão, e um cujos pesos somam 0 só vê "
       "mudanças. Numa rampa, que cresce 0,01 de cada coluna para a seguinte, o Sobel x pesa 8 passos e o "
       "Prewitt x 6: ambos medem o declive, a primeira derivada. O laplaciano é a segunda derivada, e uma "
       "rampa não a tem."});
  const Tensor flat = filtered(made(8, 8, [](auto, auto) { return 0.3; }).view());
  const Tensor ramp = filtered(made(8, 8, [](auto, auto x) { return 0.01 * static_cast<double>(x); }).view());
  std::vector<std::vector<std::string>> rows;
  bool flat_as_sum = true;
  for (std::size_t k = 0; k < kernels.size(); ++k) {
    float sum = 0;
    for (const float weight : kernels[k].weights) sum += weight;
    const auto wanted = k < laplacian ? 1.0f : 0.0f;
    flat_as_sum =
        flat_as_sum && std::abs(sum - wanted) < rounding && everywhere(channel(flat, k), 0.3f * wanted);
    rows.push_back({kernels[k].name, lab.number(sum, 0), lab.number(at(channel(flat, k), 2, 2), 2),
                    lab.number(at(channel(ramp, k), 2, 2), 2)});
  }
  lab.table({"kernel",
             {"sum of weights", "soma dos pesos"},
             {"answer on a flat 0.3", "resposta a 0,3 uniforme"},
             {"on the ramp, where it is 0.03", "na rampa, onde ela vale 0,03"}},
            rows);
  lab.check(
      {"The first four add up to 1 and leave a flat picture unchanged; the five edge kernels add up to 0 "
       "and answer 0 to it",
       "Os quatro primeiros somam 1 e não mudam uma imagem uniforme; os cinco kernels de arestas somam 0 e "
       "respondem-lhe 0"},
      flat_as_sum);
  lab.check({"On the ramp Sobel x is 8 steps and Prewitt x 6 everywhere; Sobel y, Prewitt y and the "
             "Laplacian are 0",
             "Na rampa, o Sobel x dá 8 passos e o Prewitt x 6 em todo o lado; o Sobel y, o Prewitt y e o "
             "laplaciano dão 0"},
            everywhere(channel(ramp, sobel_x), 0.08f) && everywhere(channel(ramp, prewitt_x), 0.06f) &&
                everywhere(channel(ramp, sobel_y), 0) && everywhere(channel(ramp, prewitt_y), 0) &&
                everywhere(channel(ramp, laplacian), 0));
}

/// A soft edge seen from the side: brightness, its slope, its curvature, and what sharpening makes of it.
void check_soft_edge(Lab& lab) {
  lab.section({"An edge seen from the side", "Uma aresta vista de lado"});
  constexpr std::int64_t middle = 15;
  const Tensor edge = made(3, 2 * middle + 1, [](auto, auto x) {
    return 0.25 + 0.5 / (1 + std::exp(-static_cast<double>(x - middle) / 0.7));
  });
  const Tensor maps = filtered(edge.view());
  Plot plot{.title = {"A soft edge, dark to bright", "Uma aresta suave, do escuro ao claro"},
            .x_name = {"column", "coluna"},
            .y_name = {"value", "valor"},
            .series = {{{"brightness", "brilho"}, {}, {}},
                       {{"sharpened", "com nitidez"}, {}, {}},
                       {{"slope: Sobel x / 8", "declive: Sobel x / 8"}, {}, {}},
                       {{"curvature: Laplacian", "curvatura: laplaciano"}, {}, {}}}};
  for (std::int64_t x = 1; x < 2 * middle; ++x) {
    const auto add = [&](std::size_t series, double value) {
      plot.series[series].x.push_back(static_cast<double>(x));
      plot.series[series].y.push_back(value);
    };
    add(0, at(edge.view(), 1, x));
    add(1, at(channel(maps, sharpen), 0, x - 1));
    add(2, at(channel(maps, sobel_x), 0, x - 1) / 8);
    add(3, at(channel(maps, laplacian), 0, x - 1));
  }
  lab.plot("edge",
           {"brightness across an edge and three answers to it",
            "o brilho através de uma aresta e três respostas a ele"},
           plot);
  lab.say(
      {"The slope is greatest in the middle of the edge; the curvature is positive where the dark side "
       "bends up, negative where the bright side bends down, and 0 in the middle: edges are maxima of the "
       "first derivative and zeros of the second (Marr & Hildreth 1980). Sharpening takes the curvature "
       "away from the picture, sharpen = identity - Laplacian, so the dark side becomes darker and the "
       "bright side brighter.",
       "O declive é máximo no meio da aresta; a curvatura é positiva onde o lado escuro começa a subir, "
       "negativa onde o lado claro deixa de subir, e 0 no meio: as arestas são máximos da primeira derivada "
       "e zeros da segunda (Marr & Hildreth 1980). O kernel de nitidez (sharpen) retira a curvatura à "
       "imagem, sharpen = identidade - laplaciano, e por isso o lado escuro fica mais escuro e o claro mais "
       "claro."});
  const auto& slope = plot.series[2].y;
  const auto& curvature = plot.series[3].y;
  const auto& sharp = plot.series[1].y;
  const auto place = static_cast<std::size_t>(middle - 1);
  lab.check({"The slope is greatest where the curvature changes its sign: in the middle",
             "O declive é máximo onde a curvatura muda de sinal: no meio"},
            std::ranges::max_element(slope) - slope.begin() == middle - 1 &&
                curvature[place - 1] > rounding && std::abs(curvature[place]) < rounding &&
                curvature[place + 1] < -rounding);
  lab.check({text("Sharpened, the edge reaches from ", lab.number(std::ranges::min(sharp), 3), " to ",
                  lab.number(std::ranges::max(sharp), 3),
                  ", further on both sides than the picture, which has 0.25 to 0.75"),
             text("Com nitidez, a aresta vai de ", lab.number(std::ranges::min(sharp), 3), " a ",
                  lab.number(std::ranges::max(sharp), 3),
                  ", mais longe de ambos os lados do que a imagem, que vai de 0,25 a 0,75")},
            std::ranges::min(sharp) < 0.25 - rounding && std::ranges::max(sharp) > 0.75 + rounding);
}

void check_by_hand(Lab& lab, ConstView picture, const Tensor& maps) {
  Tensor wanted(maps.shape());
  auto to = wanted.data().begin();
  for (const Kernel& kernel : kernels)
    for (std::int64_t y = 0; y < maps.shape().h; ++y)
      for (std::int64_t x = 0; x < maps.shape().w; ++x) *to++ = by_hand(picture, kernel, y, x);
  lab.check({"Plain loops have the same nine answers, rounding aside",
             "Ciclos simples dão as mesmas nove respostas, a menos do arredondamento"},
            same(wanted.view(), maps.view()));
}

/// What ties the kernels to each other, on the picture.
void check_relations(Lab& lab, ConstView picture, const Tensor& maps) {
  lab.section({"How the kernels belong together", "Como os kernels se relacionam"});
  const Tensor turned_picture = transposed(picture);
  const Tensor turned_maps = filtered(turned_picture.view());
  const Tensor turned_back = transposed(channel(turned_maps, sobel_y));
  lab.check({"Sobel x of the picture is Sobel y of the transposed picture, transposed back",
             "O Sobel x da imagem é o Sobel y da imagem transposta, transposto de volta"},
            same(turned_back.view(), channel(maps, sobel_x)));

  const Tensor smooth = matrix({{1}, {2}, {1}}), slope = matrix({{-1, 0, 1}});
  const Tensor half = filtered(picture, smooth.view());
  const Tensor both = filtered(half.view(), slope.view());
  lab.say(
      {"Some kernels are a column times a row: Sobel x is (1 2 1) down, which smooths, times (-1 0 1) "
       "across, which takes the difference. Then two 1-D convolutions do the work of one 2-D convolution, "
       "with 3 + 3 multiplications for each place instead of 9 (for k x k: 2 k instead of k^2).",
       "Alguns kernels são uma coluna vezes uma linha: o Sobel x é (1 2 1) na vertical, que alisa, vezes "
       "(-1 0 1) na horizontal, que tira a diferença. Então duas convoluções 1-D fazem o trabalho de uma "
       "2-D, com 3 + 3 multiplicações por posição em vez de 9 (para k x k: 2 k em vez de k^2)."});
  lab.check({"A convolution by the column and then by the row has the answers of Sobel x",
             "Uma convolução pela coluna e depois pela linha dá as respostas do Sobel x"},
            same(both.view(), channel(maps, sobel_x)));

  Tensor difference(channel(maps, identity).shape);
  for (std::size_t i = 0; i < difference.data().size(); ++i)
    difference.data()[i] = channel(maps, identity).data[i] - channel(maps, laplacian).data[i];
  lab.check({"The sharpened picture is the picture less its Laplacian",
             "A imagem com nitidez é a imagem menos o seu laplaciano"},
            same(difference.view(), channel(maps, sharpen)));

  const double before = detail(channel(maps, identity)), blurred = detail(channel(maps, box_blur)),
               sharpened = detail(channel(maps, sharpen));
  lab.check(
      {text("Fine detail, the mean square of the Laplacian: ", lab.number(blurred, 4), " blurred, ",
            lab.number(before, 4), " as it is, ", lab.number(sharpened, 4), " sharpened"),
       text("Pormenor fino, a média do quadrado do laplaciano: ", lab.number(blurred, 4), " desfocada, ",
            lab.number(before, 4), " tal como é, ", lab.number(sharpened, 4), " com nitidez")},
      blurred < before && before < sharpened);
}

int edge_and_sharpen(int argc, char** argv) {
  Lab lab("edge_and_sharpen",
          {"Edges, blur and sharpening: the classic 3x3 kernels",
           "Arestas, desfocagem e nitidez: os kernels clássicos de 3x3"},
          {"What do nine numbers see in a picture, before anything is learned?",
           "Que veem nove números numa imagem, antes de se aprender seja o que for?"},
          argc, argv);
  lab.say(
      {"A convolution layer slides small kernels over a picture. A network learns their weights; long "
       "before, people chose them by hand. Here all nine are the filters of one layer, Conv2d with 9 "
       "outputs, whose weights we write ourselves; brightness lies between 0 (black) and 1 (white). (What "
       "networks call a convolution does not turn the kernel by 180 degrees as mathematics does; with "
       "weights that are learned that makes no difference.)",
       "Uma camada convolucional desliza kernels pequenos sobre uma imagem. Uma rede aprende os pesos "
       "deles; muito antes, as pessoas escolhiam-nos à mão. Aqui os nove são os filtros de uma só camada, "
       "Conv2d com 9 saídas, cujos pesos escrevemos nós; o brilho fica entre 0 (preto) e 1 (branco). "
       "(Aquilo a que as redes chamam convolução não roda o kernel 180 graus, como faz a matemática; com "
       "pesos aprendidos, não faz diferença.)"});
  check_kernels(lab);
  check_soft_edge(lab);

  lab.section({"On a picture", "Numa imagem"});
  const Tensor picture = lab.real() ? photo(lab) : drawn_scene();
  const Tensor maps = filtered(picture.view());
  std::vector<Labelled> sheet;
  for (std::size_t k = 0; k < kernels.size(); ++k)
    sheet.push_back(
        {as_picture(maps.view(), static_cast<std::int64_t>(k), kernels[k].black, kernels[k].white),
         kernels[k].name});
  lab.picture("kernels", {"the nine answers", "as nove respostas"}, labelled_sheet(sheet, 3));
  lab.say(
      {"In the answers of the edge kernels grey is 0, white is positive and black negative: Sobel x is "
       "white where it becomes brighter from left to right, and blind to horizontal edges; Sobel y the "
       "other way round. Emboss looks lit from the side. Below, both Sobel answers together, sqrt(x^2 + "
       "y^2): edges of any direction.",
       "Nas respostas dos kernels de arestas, o cinzento é 0, o branco é positivo e o preto negativo: o "
       "Sobel x é branco onde o brilho sobe da esquerda para a direita, e cego às arestas horizontais; o "
       "Sobel y, o contrário. O emboss (relevo) parece iluminado de lado. Em baixo, as duas respostas de "
       "Sobel juntas, sqrt(x^2 + y^2): arestas em qualquer direção."});
  lab.picture("edges", {"the picture and its edges", "a imagem e as suas arestas"},
              with_its_edges(picture.view(), maps));
  check_by_hand(lab, picture.view(), maps);
  check_relations(lab, picture.view(), maps);
  return lab.finish();
}

}  // namespace
}  // namespace enxerto::lab

int main(int argc, char** argv) { return enxerto::lab::run(enxerto::lab::edge_and_sharpen, argc, argv); }
