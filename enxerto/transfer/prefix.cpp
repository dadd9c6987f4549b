#include "enxerto/transfer/prefix.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/json.h"
#include "enxerto/tensor/half.h"

namespace enxerto {

namespace {

void add_network(const Prefix& prefix, ContentHash& hash) {
  // Without what is frozen, which changes nothing in inference.
  Graph plain = prefix.graph.clone();
  for (int i = 0; i <= plain.last().index; ++i) plain.set_frozen({i}, false);
  hash.add(graph_to_json(plain).dump());
  for (const Param& param : prefix.graph.params()) hash.add(param.value.data());
  hash.add(prefix.preprocess.to_json().dump());
}

}  // namespace

ContentKey Prefix::network_key() const {
  ContentHash hash;
  add_network(*this, hash);
  return hash.key();
}

ContentKey Prefix::key() const {
  ContentHash hash;
  hash.add(text("enxerto ", ENXERTO_VERSION, " features 1"));
  hash.add(static_cast<std::uint64_t>(chip_isa()));
  hash.add(static_cast<std::uint64_t>(batch));
  hash.add(std::uint64_t{half});
  if (bf16) hash.add("bf16");
  hash.add(static_cast<std::uint64_t>(threads()));
  add_network(*this, hash);
  if (augment.any()) {
    hash.add(augment.to_json().dump());
    hash.add(seed);
  }
  return hash.key();
}

PrefixRunner::PrefixRunner(const Prefix& prefix)
    : executor_(prefix.graph, {.batch = prefix.batch, .bf16 = prefix.bf16}) {
  if (prefix.bf16) require_bf16();
  if (!prefix.half) return;
  Shape shape = prefix.graph.output_shape();
  shape.n = prefix.batch;
  rounded_ = Tensor(shape);
}

ConstView PrefixRunner::run(ConstView images, std::size_t count) {
  const ConstView rows = executor_.forward(images);
  const auto row = rows.data.size() / static_cast<std::size_t>(rows.shape.n);
  if (!std::ranges::all_of(rows.data.first(row * count), [](float x) { return std::isfinite(x); }))
    throw Error(ErrorKind::diverged,
                text("features: a value is not finite; the first layer to blame is \"",
                     executor_.find_not_finite(images, 0), "\"; are the weights damaged?"));
  if (rounded_.empty()) return rows;
  std::ranges::transform(rows.data, rounded_.data().begin(), [](float x) { return float_of(half_of(x)); });
  const auto counted = std::as_const(rounded_).data().first(row * count);
  if (!std::ranges::all_of(counted, [](float x) { return std::isfinite(x); }))
    throw Error(ErrorKind::diverged,
                "features: a value is beyond what half precision can hold, 65504; keep them in float");
  return rounded_.view();
}

}  // namespace enxerto
