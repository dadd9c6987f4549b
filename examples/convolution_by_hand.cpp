// A convolution computed by hand, then by the library: three channels, padding, stride.
#include <algorithm>
#include <array>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "examples/lab.h"

namespace enxerto::lab {
namespace {

/// The answer of one convolution; `weights` are of filter 0, the others have zeros.
Tensor convolve(ConstView image, const Conv2d& conv, ConstView weights, float bias) {
  Graph graph;
  const NodeId input = graph.input({.c = image.shape.c, .h = image.shape.h, .w = image.shape.w});
  graph.add("conv", conv, {input});
  Param& weight = graph.params()[0];
  ensure(weight.value.shape().size() >= weights.shape.size(), "the filter has this many weights");
  std::copy(weights.data.begin(), weights.data.end(), weight.value.data().begin());
  graph.params()[1].value.data()[0] = bias;
  return answer(graph, image);
}

/// One filter at one place, as one does it with a pencil: channel c of a filter on the picture, whose places
/// outside are 0.
float by_hand(ConstView image, ConstView filter, std::int64_t c, std::int64_t top, std::int64_t left) {
  const auto& [n, channels, height, width] = image.shape;
  float sum = 0;
  for (std::int64_t y = 0; y < filter.shape.h; ++y)
    for (std::int64_t x = 0; x < filter.shape.w; ++x) {
      const std::int64_t row = top + y, column = left + x;
      if (row < 0 || column < 0 || row >= height || column >= width) continue;
      sum += filter.data[static_cast<std::size_t>((c * filter.shape.h + y) * filter.shape.w + x)] *
             image.data[static_cast<std::size_t>((c * height + row) * width + column)];
    }
  return sum;
}

Tensor stacked(const std::array<Tensor, 3>& channels) {
  Tensor made({.c = 3, .h = channels[0].shape().h, .w = channels[0].shape().w});
  auto to = made.data().begin();
  for (const Tensor& channel : channels) to = std::copy(channel.data().begin(), channel.data().end(), to);
  return made;
}

std::int64_t side(const Graph& graph, const char* name) { return graph.node(graph.id_of(name)).out.h; }

int convolution_by_hand(int argc, char** argv) {
  Lab lab("convolution_by_hand", {"A convolution by hand", "Uma convolução à mão"},
          {"What does a convolution compute on a picture of three channels, and how large is its answer?",
           "O que calcula uma convolução sobre uma imagem de três canais, e de que tamanho é a resposta?"},
          argc, argv);

  const Tensor image = stacked({matrix({{156, 155, 156, 158, 158},
                                        {153, 154, 157, 159, 159},
                                        {149, 151, 155, 158, 159},
                                        {146, 146, 149, 153, 158},
                                        {145, 143, 143, 148, 158}}),
                                matrix({{167, 166, 167, 169, 169},
                                        {164, 165, 168, 170, 170},
                                        {160, 162, 166, 169, 170},
                                        {156, 156, 159, 163, 168},
                                        {155, 153, 153, 158, 168}}),
                                matrix({{163, 162, 163, 165, 165},
                                        {160, 161, 164, 166, 166},
                                        {156, 158, 162, 165, 166},
                                        {155, 155, 158, 162, 167},
                                        {154, 152, 152, 157, 167}})});
  const Tensor filter =
      stacked({matrix({{-1, -1, 1}, {0, 1, -1}, {0, 1, 1}}), matrix({{1, 0, 0}, {1, -1, -1}, {1, 0, -1}}),
               matrix({{0, 1, 1}, {0, 1, 0}, {1, -1, 1}})});

  lab.section({"Three channels", "Três canais"});
  lab.show({"The picture, channel by channel", "A imagem, canal a canal"}, image.view());
  lab.show({"The filter has as many channels as the picture", "O filtro tem tantos canais como a imagem"},
           filter.view());
  lab.say(
      {"With a padding of 1, the filter's first place hangs over the corner; outside the picture there are "
       "zeros. "
       "Each channel is multiplied with its own part of the filter, the three sums and the bias are added.",
       "Com padding de 1, a primeira posição do filtro sai pelo canto; fora da imagem há zeros. Cada canal é "
       "multiplicado pela sua parte do filtro; somam-se as três parcelas e o viés (bias)."});
  std::array<float, 3> sums{};
  for (std::int64_t c = 0; c < 3; ++c)
    sums[static_cast<std::size_t>(c)] = by_hand(image.view(), filter.view(), c, -1, -1);
  const float bias = 1, total = sums[0] + sums[1] + sums[2] + bias;
  const Tensor padded = convolve(image.view(), {.out = 1, .kernel = 3, .pad = 1}, filter.view(), bias);
  const std::string sum = text(sums[0], " - ", -sums[1], " + ", sums[2], " + ", bias, " = ", total);
  lab.show({"What the library answers", "O que a biblioteca responde"}, padded.view());
  lab.check({text("By hand, the first place is ", sum), text("À mão, a primeira posição é ", sum)},
            sums == std::array<float, 3>{308, -498, 164} && total == -25);
  bool all_same = true;
  for (std::int64_t y = 0; y < 5; ++y)
    for (std::int64_t x = 0; x < 5; ++x) {
      float place = bias;
      for (std::int64_t c = 0; c < 3; ++c) place += by_hand(image.view(), filter.view(), c, y - 1, x - 1);
      all_same = all_same && place == padded.data()[static_cast<std::size_t>(y * 5 + x)];
    }
  lab.check({"The library has the same in all 25 places", "A biblioteca tem o mesmo nas 25 posições"},
            all_same);

  lab.section({"Padding and stride", "Padding e stride"});
  lab.say(
      {"An answer has floor((n + 2 p - k) / s) + 1 places along a side of n: k is the kernel, p the padding, "
       "s the "
       "stride.",
       "A resposta tem floor((n + 2 p - k) / s) + 1 posições num lado de n: k é o kernel, p o padding, s o "
       "stride."});
  struct Case {
    int n, k, p, s, expected;
  };
  std::vector<std::vector<std::string>> rows;
  bool sizes_right = true;
  for (const Case& each : {Case{5, 3, 0, 1, 3}, Case{5, 3, 1, 1, 5}, Case{5, 3, 1, 2, 3}, Case{6, 3, 0, 2, 2},
                           Case{7, 3, 0, 2, 3}, Case{39, 3, 0, 1, 37}, Case{224, 7, 3, 2, 112}}) {
    Graph graph;
    const NodeId input = graph.input({.c = 3, .h = each.n, .w = each.n});
    graph.add("conv", Conv2d{.out = 1, .kernel = each.k, .stride = each.s, .pad = each.p}, {input});
    const std::int64_t found = side(graph, "conv");
    sizes_right =
        sizes_right && found == each.expected && found == (each.n + 2 * each.p - each.k) / each.s + 1;
    rows.push_back({text(each.n), text(each.k), text(each.p), text(each.s), text(found)});
  }
  lab.table({"n", "k", "p", "s", {"answer", "resposta"}}, rows);
  lab.check(
      {"Each size is what the formula says; 39 becomes 37", "Cada tamanho é o da fórmula; 39 passa a 37"},
      sizes_right);

  lab.section({"A whole network of sizes", "Uma rede inteira de tamanhos"});
  Graph net;
  NodeId at = net.input({.c = 3, .h = 39, .w = 39});
  at = net.add("conv1", Conv2d{.out = 10, .kernel = 3}, {at});
  at = net.add("conv2", Conv2d{.out = 20, .kernel = 5, .stride = 2}, {at});
  at = net.add("conv3", Conv2d{.out = 40, .kernel = 5, .stride = 2}, {at});
  at = net.add("flatten", Flatten{}, {at});
  rows.clear();
  for (const Node& node : net.nodes())
    rows.push_back({node.name, text(node.out.h, " x ", node.out.w, " x ", node.out.c)});
  lab.table({{"layer", "camada"}, {"height x width x channels", "altura x largura x canais"}}, rows);
  lab.check({"39x39x3 ends as 7x7x40, 1960 numbers for the classifier",
             "39x39x3 acaba em 7x7x40, 1960 números para o classificador"},
            side(net, "conv3") == 7 && net.output_shape().size() == 1960);

  lab.picture(
      "convolution",
      {"the three channels of the picture, and the answer", "os três canais da imagem, e a resposta"},
      side_by_side({as_picture(image.view(), 0, 140, 172, 24), as_picture(image.view(), 1, 140, 172, 24),
                    as_picture(image.view(), 2, 140, 172, 24), as_picture(padded.view(), 0, -100, 850, 24)}));
  return lab.finish();
}

}  // namespace
}  // namespace enxerto::lab

int main(int argc, char** argv) { return enxerto::lab::run(enxerto::lab::convolution_by_hand, argc, argv); }
