// No primitive falls into slow loops: every one that the zoo's networks and a list of typical layers need, in
// both directions, under the instruction set that DNNL_MAX_CPU_ISA allows. oneDNN itself says what it made
// (DNNL_VERBOSE), so the reorders inside an Op are seen too.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/executor.h"
#include "enxerto/zoo/zoo.h"

namespace enxerto {
namespace {

/// One primitive of oneDNN: what, in which direction, by which implementation, for which sizes.
struct Primitive {
  std::string kind, direction, implementation, sizes;
  friend auto operator<=>(const Primitive&, const Primitive&) = default;
};

/// A line as "onednn_verbose,...,create:cache_miss,cpu,convolution,jit:avx2,forward_training,...,sizes,ms".
std::optional<Primitive> parse(const std::string& line) {
  if (line.find("dnn") == std::string::npos || line.find("create:") == std::string::npos) return std::nullopt;
  std::vector<std::string> words;
  std::istringstream in(line);
  for (std::string word; std::getline(in, word, ',');) words.push_back(word);
  const auto create =
      std::ranges::find_if(words, [](const std::string& word) { return word.starts_with("create:"); });
  const auto at = static_cast<std::size_t>(create - words.begin());
  if (words.size() < at + 6) return std::nullopt;
  return Primitive{words[at + 2], words[at + 4], words[at + 3], words[words.size() - 2]};
}

/// All that oneDNN makes while `work` runs. It prints that, so the output goes into a file meanwhile.
template <class Work>
std::set<Primitive> primitives_of(Work work) {
  std::FILE* const file = std::tmpfile();
  ensure(file != nullptr, "there is room for a temporary file");
  std::fflush(stdout);
  const int terminal = dup(STDOUT_FILENO);
  dup2(fileno(file), STDOUT_FILENO);
  work();
  std::fflush(stdout);
  dup2(terminal, STDOUT_FILENO);
  close(terminal);
  std::rewind(file);
  std::set<Primitive> found;
  std::string line;
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) {
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    if (const auto primitive = parse(line)) found.insert(*primitive);
    line.clear();
  }
  std::fclose(file);
  return found;
}

/// What is known to fall to gemm with oneDNN 2.6, and stays so for now. Empty texts fit everything.
struct Excuse {
  std::string_view where, kind, direction;
  bool on_avx512;  ///< false: only where there is no AVX-512
  std::string_view reason;
};
constexpr auto excuses = std::to_array<Excuse>({
    {"", "inner_product", "", false, "AVX2 has no inner product but this one; a faster one is issue 7's"},
    {"linear 64 to 1,", "inner_product", "forward", true, "one output is a dot product: it waits for memory"},
    {"first layer", "convolution", "backward_data", true, "only pictures of what a network sees need it"},
    {" at 64", "convolution", "_ih2oh2kh3sh1", false, "a picture smaller than the kernel, 2x2 pixels"},
    {"depthwise 3x3 dilated", "convolution", "backward_data", true,
     "no kernel with dilation; not in the zoo"},
    {"depthwise 3x3 twice as many", "convolution", "", true, "no kernel with a multiplier; not in the zoo"},
    {"grouped 3 of ShuffleNet", "convolution", "", false, "20 channels fill no block of 8; not in the zoo"},
    {"grouped 3 of ShuffleNet", "convolution", "backward_weights", true, "likewise"},
    {"grouped 8 of ShuffleNet", "convolution", "", false, "12 channels fill no block of 8; not in the zoo"},
    {"grouped 8 of ShuffleNet", "convolution", "backward_weights", true, "likewise"},
    {"grouped 32 by 4", "convolution", "", false, "4 channels fill no block of 8; not in the zoo"},
    {"grouped 32 by 4", "convolution", "backward_weights", true, "likewise"},
    {"16x16 patches of 3", "convolution", "backward_weights", true, "one product of large matrices anyway"},
    {"3x3 dilated 12", "convolution", "", true,
     "no kernel that pads by more than the window; not in the zoo"},
    {"3x3 dilated 2", "convolution", "backward_weights", false,
     "AVX2 has no kernel with dilation; not in the zoo"},
    {"1-D dilated", "convolution", "", false, "AVX2 has no kernel that pads that much; not in the zoo"},
    {"1-D 5 stride 2", "convolution", "backward_data", false, "AVX2 has no kernel for it; not in the zoo"},
    {"11x11 of 3", "convolution", "forward", false, "AVX2 has no kernel for it"},
    {"alexnet at", "convolution", "kh11sh4", false, "likewise, of its first layer"},
    {"squeezenet1_0_caffe", "convolution", "kh1sh1dh0ph1", true,
     "no kernel that pads by more than the window; of 1x1 it is one product of large matrices anyway"},
});

/// The reference loops and the plain matrix products; brgemm is neither.
bool is_slow(const std::string& implementation) {
  if (implementation.find("ref") != std::string::npos) return true;
  const auto gemm = implementation.find("gemm");
  return gemm != std::string::npos && (gemm < 2 || implementation.compare(gemm - 2, 6, "brgemm") != 0);
}

bool is_excused(const std::string& where, const Primitive& primitive) {
  const std::string direction = primitive.direction + " " + primitive.sizes;
  return std::ranges::any_of(excuses, [&](const Excuse& each) {
    return where.find(each.where) != std::string::npos &&
           primitive.kind.find(each.kind) != std::string::npos &&
           direction.find(each.direction) != std::string::npos &&
           (each.on_avx512 || chip_isa() != Isa::avx512);
  });
}

void expect_fast(const std::string& where, const std::set<Primitive>& primitives) {
  for (const Primitive& each : primitives)
    EXPECT_TRUE(!is_slow(each.implementation) || is_excused(where, each))
        << where << ": " << each.kind << " " << each.direction << " " << each.sizes << " runs as "
        << each.implementation;
}

/// Our own kernels name the instruction set that they are made for; oneDNN's are among the primitives.
void expect_known(const std::string& where, const std::string& implementation,
                  const std::set<Primitive>& primitives) {
  const std::string_view isa = chip_isa() == Isa::avx512 ? "avx512"
                               : chip_isa() == Isa::avx2 ? "avx2"
                                                         : "generic";
  for (std::size_t begin = 0; begin < implementation.size();) {
    const std::size_t end = std::min(implementation.find(" / ", begin), implementation.size());
    std::string part = implementation.substr(begin, end - begin);
    if (part.starts_with("anew: ")) part = part.substr(6);  // an output that the backward pass makes again
    begin = end + 3;
    const bool of_onednn =
        std::ranges::any_of(primitives, [&](const Primitive& each) { return each.implementation == part; });
    const bool ours = part == "nothing" || part == "loops" || part == text("loops:", isa) || part == isa ||
                      part == text("winograd:", isa) || part == text("depthwise:", isa) ||
                      part == text("squeeze_excite:", isa) || (part == "direct:avx512" && isa == "avx512");
    EXPECT_TRUE(of_onednn || ours) << where << " runs as " << part << " on " << isa;
  }
}

/// The instruction set of this run, or a skip where the chip has it not.
class Primitives : public testing::Test {
 protected:
  static void SetUpTestSuite() { setenv("DNNL_VERBOSE", "2", 1); }
  void SetUp() override {
    const char* const asked = std::getenv("DNNL_MAX_CPU_ISA");
    if (asked && std::string_view(asked).starts_with("AVX512") && chip_isa() != Isa::avx512)
      GTEST_SKIP() << "this chip has no " << asked;
    if (asked && std::string_view(asked).starts_with("AVX2") && chip_isa() != Isa::avx2)
      GTEST_SKIP() << "this chip has no " << asked;
  }
};

/// Whether a smaller net has the same kinds of layers at the same sizes.
bool repeats_another(std::string_view net) {
  constexpr std::string_view deeper[] = {"101",   "152",   "32_cifar", "44_cifar", "56_cifar", "110_cifar",
                                         "vgg13", "vgg16", "vgg19",    "_lrn_bn",  "_0.75",    "_0.5"};
  return net != "vgg16_c" && std::ranges::any_of(deeper, [&](std::string_view part) {
           return net.find(part) != std::string_view::npos;
         });
}

TEST_F(Primitives, OfEveryNetworkAreFast) {
  std::size_t seen = 0;
  for (const NetInfo& net : nets()) {
    if (repeats_another(net.name)) continue;
    for (const bool usual : {true, false})
      for (const auto& [train, batch] : {std::pair{true, 4}, {false, 1}, {false, 4}}) {
        const Shape image{1, net.image.c, usual ? net.image.h : 64, usual ? net.image.w : 64};
        const std::string where =
            text(net.name, " at ", image.h, train ? ", training" : ", inference", ", batch ", batch);
        // VGG's linear layers are the same in all, and large.
        const bool top = net.name.substr(0, 3) != "vgg" || net.name == "vgg11";
        const Graph graph = make_net(net.name, {.image = image, .include_top = top});
        std::vector<StepProfile> steps;
        const auto primitives =
            primitives_of([&] { steps = Executor(graph, {.batch = batch, .train = train}).profile(); });
        seen += primitives.size();
        expect_fast(where, primitives);
        for (const StepProfile& step : steps)
          if (step.kind != "reorder" && step.kind != "gather")
            expect_known(text(where, ": ", step.node), step.implementation, primitives);
      }
  }
  EXPECT_GT(seen, 100u) << "oneDNN says what it makes";
}

struct Row {
  std::string name;
  AnyLayer layer;
  std::vector<Shape> in;
  bool fused = false;                          ///< so it cannot be trained
  bool first() const { return in[0].c <= 3; }  ///< works on pictures
};

std::vector<Row> rows() {
  const Padding same = Padding::same_as_tensorflow();
  const auto depthwise = [](int channels, int kernel, int stride, int dilation = 1, int times = 1) {
    return Conv2d{.out = channels * times,
                  .kernel = kernel,
                  .stride = stride,
                  .dilation = dilation,
                  .pad = dilation * (kernel / 2),
                  .groups = channels,
                  .bias = false};
  };
  const Shape small{4, 64, 14, 14}, large{4, 32, 56, 56};
  return {
      {"depthwise 3x3", depthwise(64, 3, 1), {small}},
      {"depthwise 3x3 stride 2", depthwise(64, 3, 2), {small}},
      {"depthwise 3x3 of 32 large", depthwise(32, 3, 1), {large}},
      {"depthwise 3x3 SAME stride 2",
       Conv2d{.out = 64, .kernel = 3, .stride = 2, .pad = same, .groups = 64, .bias = false},
       {small}},
      {"depthwise 3x3 of 24", depthwise(24, 3, 1), {{4, 24, 28, 28}}},
      {"depthwise 3x3 of 20", depthwise(20, 3, 1), {{4, 20, 28, 28}}},
      {"depthwise 3x3 dilated", depthwise(64, 3, 1, 2), {small}},
      {"depthwise 3x3 twice as many", depthwise(64, 3, 1, 1, 2), {small}},
      {"depthwise 5x5", depthwise(64, 5, 1), {small}},
      {"depthwise 5x5 stride 2", depthwise(64, 5, 2), {small}},
      {"depthwise 5x5 of 20", depthwise(20, 5, 1), {{4, 20, 28, 28}}},
      {"depthwise 5x5 of 72 stride 2", depthwise(72, 5, 2), {{4, 72, 56, 56}}},
      {"depthwise 7x7", depthwise(96, 7, 1), {{4, 96, 28, 28}}},
      {"depthwise 1-D",
       Conv2d{.out = 64, .kernel = {1, 5}, .pad = {0, 2, 0, 2}, .groups = 64},
       {{4, 64, 1, 128}}},
      {"depthwise whole picture", Conv2d{.out = 64, .kernel = 7, .groups = 64}, {{4, 64, 7, 7}}},

      {"grouped 32 by 4",
       Conv2d{.out = 128, .kernel = 3, .pad = 1, .groups = 32, .bias = false},
       {{4, 128, 28, 28}}},
      {"grouped 32 by 8",
       Conv2d{.out = 256, .kernel = 3, .pad = 1, .groups = 32, .bias = false},
       {{4, 256, 28, 28}}},
      {"grouped 32 by 8 stride 2",
       Conv2d{.out = 256, .kernel = 3, .stride = 2, .pad = 1, .groups = 32, .bias = false},
       {{4, 256, 28, 28}}},
      {"grouped 32 by 16",
       Conv2d{.out = 512, .kernel = 3, .pad = 1, .groups = 32, .bias = false},
       {{4, 512, 14, 14}}},
      {"grouped 2 of AlexNet", Conv2d{.out = 256, .kernel = 5, .pad = 2, .groups = 2}, {{4, 96, 27, 27}}},
      {"grouped 3 of ShuffleNet", Conv2d{.out = 240, .groups = 3, .bias = false}, {{4, 60, 28, 28}}},
      {"grouped 8 of ShuffleNet", Conv2d{.out = 384, .groups = 8, .bias = false}, {{4, 96, 28, 28}}},
      {"grouped 5x5 by 24", Conv2d{.out = 96, .kernel = 5, .pad = 2, .groups = 4}, {{4, 96, 14, 14}}},

      {"3x3", Conv2d{.out = 64, .kernel = 3, .pad = 1, .bias = false}, {small}},
      {"3x3 stride 2", Conv2d{.out = 128, .kernel = 3, .stride = 2, .pad = 1, .bias = false}, {small}},
      {"3x3 SAME stride 2", Conv2d{.out = 128, .kernel = 3, .stride = 2, .pad = same}, {small}},
      {"3x3 dilated 2", Conv2d{.out = 64, .kernel = 3, .dilation = 2, .pad = 2, .bias = false}, {small}},
      {"3x3 dilated 12", Conv2d{.out = 64, .kernel = 3, .dilation = 12, .pad = 12, .bias = false}, {large}},
      {"3x3 of 3", Conv2d{.out = 32, .kernel = 3, .stride = 2, .pad = 1, .bias = false}, {{4, 3, 224, 224}}},
      {"3x3 of 1", Conv2d{.out = 32, .kernel = 3, .pad = 1}, {{4, 1, 28, 28}}},
      {"3x3 of 4", Conv2d{.out = 32, .kernel = 3, .pad = 1}, {{4, 4, 56, 56}}},
      {"3x3 17 to 33", Conv2d{.out = 33, .kernel = 3, .pad = 1}, {{4, 17, 28, 28}}},
      {"3x3 24 to 40", Conv2d{.out = 40, .kernel = 3, .pad = 1}, {{4, 24, 28, 28}}},
      {"3x3 64 to 21", Conv2d{.out = 21, .kernel = 3, .pad = 1}, {small}},
      {"3x3 64 to 3", Conv2d{.out = 3, .kernel = 3, .pad = 1}, {small}},
      {"5x5", Conv2d{.out = 64, .kernel = 5, .pad = 2, .bias = false}, {small}},
      {"5x5 1 to 6", Conv2d{.out = 6, .kernel = 5, .pad = 2}, {{4, 1, 28, 28}}},
      {"5x5 6 to 16", Conv2d{.out = 16, .kernel = 5}, {{4, 6, 14, 14}}},
      {"5x5 20 to 50", Conv2d{.out = 50, .kernel = 5}, {{4, 20, 12, 12}}},
      {"7x7 of 3", Conv2d{.out = 64, .kernel = 7, .stride = 2, .pad = 3, .bias = false}, {{4, 3, 224, 224}}},
      {"11x11 of 3", Conv2d{.out = 64, .kernel = 11, .stride = 4, .pad = 2}, {{4, 3, 224, 224}}},
      {"16x16 patches of 3", Conv2d{.out = 192, .kernel = 16, .stride = 16}, {{4, 3, 224, 224}}},
      {"4x4 patches of 3", Conv2d{.out = 96, .kernel = 4, .stride = 4}, {{4, 3, 224, 224}}},
      {"2x2 stride 2", Conv2d{.out = 128, .kernel = 2, .stride = 2}, {small}},
      {"1x7", Conv2d{.out = 64, .kernel = {1, 7}, .pad = {0, 3, 0, 3}, .bias = false}, {small}},
      {"7x1", Conv2d{.out = 64, .kernel = {7, 1}, .pad = {3, 0, 3, 0}, .bias = false}, {small}},

      {"1x1", Conv2d{.out = 128, .bias = false}, {small}},
      {"1x1 stride 2", Conv2d{.out = 128, .stride = 2, .bias = false}, {small}},
      {"1x1 stride 2 on odd sizes", Conv2d{.out = 128, .stride = 2, .bias = false}, {{4, 64, 35, 35}}},
      {"1x1 24 to 144", Conv2d{.out = 144, .bias = false}, {{4, 24, 56, 56}}},
      {"1x1 17 to 33", Conv2d{.out = 33}, {{4, 17, 28, 28}}},
      {"1x1 64 to 255", Conv2d{.out = 255}, {small}},
      {"1x1 64 to 1", Conv2d{.out = 1}, {small}},
      {"1x1 3 to 32", Conv2d{.out = 32}, {{4, 3, 56, 56}}},
      {"1x1 of one pixel, 64 to 16", Conv2d{.out = 16}, {{4, 64, 1, 1}}},
      {"1x1 of one pixel, 72 to 18", Conv2d{.out = 18}, {{4, 72, 1, 1}}},

      {"1-D 3", Conv2d{.out = 64, .kernel = {1, 3}, .pad = {0, 1, 0, 1}}, {{4, 64, 1, 128}}},
      {"1-D 5 stride 2",
       Conv2d{.out = 64, .kernel = {1, 5}, .stride = {1, 2}, .pad = {0, 2, 0, 2}},
       {{4, 32, 1, 128}}},
      {"1-D 7 of 1", Conv2d{.out = 16, .kernel = {1, 7}, .pad = {0, 3, 0, 3}}, {{4, 1, 1, 128}}},
      {"1-D dilated",
       Conv2d{.out = 32, .kernel = {1, 3}, .dilation = {1, 4}, .pad = {0, 4, 0, 4}},
       {{4, 32, 1, 128}}},

      {"fused 3x3 relu",
       Conv2d{.out = 64, .kernel = 3, .pad = 1, .activation = Activation::relu},
       {small},
       true},
      {"fused 3x3 residual",
       Conv2d{.out = 64, .kernel = 3, .pad = 1, .activation = Activation::relu},
       {small, small},
       true},
      {"fused 3x3 17 to 33 relu",
       Conv2d{.out = 33, .kernel = 3, .pad = 1, .activation = Activation::relu},
       {{4, 17, 28, 28}},
       true},
      {"fused 1x1 residual", Conv2d{.out = 64, .activation = Activation::relu}, {small, small}, true},
      {"fused 1x1 silu", Conv2d{.out = 64, .activation = Activation::silu}, {small}, true},
      {"fused 1x1 hard_swish", Conv2d{.out = 64, .activation = Activation::hard_swish}, {small}, true},
      {"fused depthwise relu6",
       Conv2d{.out = 64, .kernel = 3, .pad = 1, .groups = 64, .activation = Activation::relu6},
       {small},
       true},
      {"fused depthwise 5x5 hard_swish",
       Conv2d{.out = 64, .kernel = 5, .pad = 2, .groups = 64, .activation = Activation::hard_swish},
       {small},
       true},
      {"fused depthwise silu",
       Conv2d{.out = 64, .kernel = 3, .pad = 1, .groups = 64, .activation = Activation::silu},
       {small},
       true},

      {"linear 512 to 1000", Linear{.out = 1000}, {{4, 512}}},
      {"linear 9216 to 4096", Linear{.out = 4096}, {{4, 256, 6, 6}}},
      {"linear 84 to 10", Linear{.out = 10}, {{4, 84}}},
      {"linear 401 to 121", Linear{.out = 121}, {{4, 401}}},
      {"linear 64 to 1", Linear{.out = 1}, {{4, 64}}},
      {"linear fused relu", Linear{.out = 256, .activation = Activation::relu}, {{4, 512}}, true},
  };
}

TEST_F(Primitives, OfTypicalLayersAreFast) {
  for (const Row& row : rows())
    for (const auto& [train, batch] : {std::pair{true, 4}, {false, 1}, {false, 4}}) {
      if (train && row.fused) continue;
      PlanArgs args;
      for (Shape in : row.in) {
        in.n = batch;
        args.in.push_back(plain(in));
      }
      args.train = args.wants_dparams = train;
      if (train) args.wants_din = {true};
      const std::string where = text(row.name, row.first() ? ", first layer" : "",
                                     train ? ", training" : ", inference", ", batch ", batch);
      std::string implementation;
      const auto primitives =
          primitives_of([&] { implementation = plan_op(row.layer, args)->info().implementation; });
      expect_fast(where, primitives);
      expect_known(where, implementation, primitives);
    }
}

}  // namespace
}  // namespace enxerto
