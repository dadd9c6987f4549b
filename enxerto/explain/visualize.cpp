#include "enxerto/explain/visualize.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <variant>

#include "enxerto/core/error.h"
#include "enxerto/core/pool.h"
#include "enxerto/core/random.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/explain/painting.h"
#include "enxerto/graph/executor.h"
#include "enxerto/graph/rebuild.h"
#include "enxerto/train/optimizer.h"

namespace enxerto {
namespace {

void check(const VisualizeConfig& config) {
  constexpr int least_size = 16, most_size = 1024, most_steps = 100000;
  if (config.size < least_size || config.size > most_size)
    throw Error(ErrorKind::usage,
                text("pictures of ", config.size, " pixels: from ", least_size, " to ", most_size));
  if (config.steps < 1 || config.steps > most_steps)
    throw Error(ErrorKind::usage, text(config.steps, " steps: from 1 to ", most_steps));
}

/// The network up to the layer, or to what goes into it where it is an activation, at this size if it can be.
Graph part_for(const Graph& graph, std::string_view layer, int size) {
  NodeId id = graph.id_of(layer);
  while (std::holds_alternative<Activate>(graph.node(id).layer)) id = graph.node(id).inputs[0];
  if (id.index == 0) throw Error(ErrorKind::usage, text("layer \"", layer, "\" is the network's input"));
  Graph part = graph.clone();
  part.cut_after(graph.node(id).name);
  Shape image = part.input_shape();
  image.h = image.w = size;
  try {
    return rebuilt(part, {.image = image});
  } catch (const Error&) {
    return part;  // a linear layer on all places, say
  }
}

/// The slope of what is to fall, at one place of a channel's map. Places that answer count ten times as much
/// as those that do not: the mean alone of a filter that looks for edges does not know them. Adam makes the
/// slope's length nothing.
float downhill(float answer) { return answer > 0 ? -1.0f : -0.1f; }

constexpr float stirring = 10;  // times a faint cloud

Glance glance_of(const VisualizeConfig& config, Rng rng) {
  const auto within = [&](double most) { return most * (2.0 * rng.uniform() - 1); };
  Glance made;
  made.right = within(config.jitter_px);
  made.down = within(config.jitter_px);
  made.turn = within(config.turn_degrees) * std::numbers::pi / 180;
  made.zoom = 1 + within(config.zoom);
  return made;
}

/// Pixels in 0..1, red first, into a network's input and gradients back.
struct Levels {
  const Preprocess& preprocess;

  std::size_t channel(std::size_t c) const {
    const auto channels = static_cast<std::size_t>(preprocess.channels);
    return preprocess.order == ChannelOrder::bgr ? channels - 1 - c : c;
  }
  float factor(std::size_t c) const { return static_cast<float>(255 * preprocess.scale / preprocess.std[c]); }
  void to_input(std::span<const float> pixels, std::span<float> input) const {
    const std::size_t plane = pixels.size() / static_cast<std::size_t>(preprocess.channels);
    for (std::size_t c = 0; c * plane < pixels.size(); ++c)
      for (std::size_t i = 0; i < plane; ++i)
        input[c * plane + i] = factor(c) * pixels[channel(c) * plane + i] -
                               static_cast<float>(preprocess.mean[c] / preprocess.std[c]);
  }
  void to_pixels(std::span<const float> dinput, std::span<float> dpixels) const {
    const std::size_t plane = dinput.size() / static_cast<std::size_t>(preprocess.channels);
    for (std::size_t c = 0; c * plane < dinput.size(); ++c)
      for (std::size_t i = 0; i < plane; ++i)
        dpixels[channel(c) * plane + i] = factor(c) * dinput[c * plane + i];
  }
};

}  // namespace

std::vector<Image> visualize(const Graph& graph, std::string_view layer, std::span<const int> channels,
                             const Preprocess& preprocess, const VisualizeConfig& config) {
  check(config);
  const Graph part = part_for(graph, layer, config.size);
  const Shape in = part.input_shape(), out = part.output_shape();
  for (const int channel : channels)
    if (channel < 0 || channel >= out.c)
      throw Error(ErrorKind::usage,
                  text("layer \"", layer, "\" has the channels 0 to ", out.c - 1, ", not ", channel));
  const auto count = channels.size();
  // Turned and moved, the frame stays within the painting for the most part.
  const int margin = static_cast<int>(std::ceil(config.jitter_px));
  const Frame frame{.channels = preprocess.channels,
                    .from_height = static_cast<int>(in.h) + 2 * margin,
                    .from_width = static_cast<int>(in.w) + 2 * margin,
                    .height = static_cast<int>(in.h),
                    .width = static_cast<int>(in.w)};
  ensure(in.c == preprocess.channels, "the preprocessing is this network's");
  const Painting painting(frame.from_height, frame.from_width, frame.channels);
  const Levels levels{preprocess};

  const auto rng_of = [&](int step, std::size_t i) {
    return Rng(config.seed).child(static_cast<std::uint64_t>(step), static_cast<std::uint64_t>(channels[i]));
  };

  struct Canvas {
    std::vector<float> amounts, damounts, picture, dpicture, seen;
  };
  std::vector<Canvas> canvases(count);
  std::vector<Update> updates;
  for (std::size_t i = 0; i < count; ++i) {
    Canvas& each = canvases[i];
    each.amounts = painting.start(rng_of(0, i));
    each.damounts.resize(painting.size());
    each.picture.resize(painting.size());
    each.dpicture.resize(painting.size());
    each.seen.resize(static_cast<std::size_t>(in.size()));
    updates.push_back({"amounts", each.amounts, each.damounts, false});
  }
  const std::unique_ptr<Optimizer> adam = make_optimizer(Adam{}, updates);
  const auto batch = static_cast<int>(count);
  Executor executor(part, {.batch = batch, .train = true, .input_gradient = true});
  Shape batched_in = in, batched_out = out;
  batched_in.n = batched_out.n = batch;
  Tensor images(batched_in), dout(batched_out);
  const auto places = static_cast<std::size_t>(out.h * out.w);
  const auto map_of = [&](auto all, std::size_t i) {
    const std::size_t plane = i * static_cast<std::size_t>(out.c) + static_cast<std::size_t>(channels[i]);
    return all.subspan(plane * places, places);
  };

  const auto row = [&](std::span<float> all, std::size_t i) {
    return all.subspan(i * static_cast<std::size_t>(in.size()), static_cast<std::size_t>(in.size()));
  };
  for (int step = 1; step <= config.steps; ++step) {
    const auto glance = [&](std::size_t i) { return glance_of(config, rng_of(step, i)); };
    parallel_for(batch, threads(), [&](std::int64_t number) {
      const auto i = static_cast<std::size_t>(number);
      Canvas& each = canvases[i];
      painting.paint(each.amounts, each.picture);
      look(frame, glance(i), each.picture, each.seen);
      levels.to_input(each.seen, row(images.data(), i));
    });
    const ConstView answers = executor.forward(images.view());
    if (!std::ranges::all_of(answers.data, [](float x) { return std::isfinite(x); }))
      throw Error(ErrorKind::diverged,
                  text("layer \"", layer, "\" answers with what is no number: the weights are damaged"));
    for (std::size_t i = 0; i < count; ++i)
      std::ranges::transform(map_of(answers.data, i), map_of(dout.data(), i).begin(), downhill);
    executor.backward(dout.view());
    const ConstView dimages = executor.input_gradient();
    parallel_for(batch, threads(), [&](std::int64_t number) {
      const auto i = static_cast<std::size_t>(number);
      Canvas& each = canvases[i];
      levels.to_pixels(
          dimages.data.subspan(i * static_cast<std::size_t>(in.size()), static_cast<std::size_t>(in.size())),
          each.seen);
      std::ranges::fill(each.dpicture, 0.0f);
      look_back(frame, glance(i), each.seen, each.dpicture);
      painting.gradient(each.picture, each.dpicture, each.damounts);
      // A layer that is silent everywhere has no slope: the cloud is stirred until it answers.
      if (std::ranges::all_of(each.damounts, [](float x) { return x == 0; })) {
        const std::vector<float> cloud = painting.start(rng_of(step, i).child(1));
        for (std::size_t k = 0; k < cloud.size(); ++k) each.amounts[k] += stirring * cloud[k];
      }
    });
    adam->step(updates, config.lr);
    if (config.on_progress) config.on_progress(step, config.steps);
  }

  std::vector<Image> made;
  for (Canvas& each : canvases) {
    painting.paint(each.amounts, each.picture);
    look(frame, {}, each.picture, each.seen);
    Image image(frame.height, frame.width, frame.channels);
    const std::size_t plane = each.seen.size() / static_cast<std::size_t>(frame.channels);
    for (std::size_t c = 0; c < static_cast<std::size_t>(frame.channels); ++c)
      for (std::size_t i = 0; i < plane; ++i)
        image.pixels[i * static_cast<std::size_t>(frame.channels) + c] =
            static_cast<std::uint8_t>(std::lround(255 * each.seen[c * plane + i]));
    made.push_back(std::move(image));
  }
  return made;
}

}  // namespace enxerto
