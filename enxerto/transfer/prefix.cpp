#include "enxerto/transfer/prefix.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/graph/json.h"

namespace enxerto {

Digest Prefix::key() const {
  Digester digester;
  digester.add(text("enxerto ", ENXERTO_VERSION, " features 1"));
  digester.add(static_cast<std::uint64_t>(chip_isa()));
  digester.add(static_cast<std::uint64_t>(batch));
  digester.add(static_cast<std::uint64_t>(threads()));
  // Without what is frozen, which changes nothing in inference.
  Graph plain = graph.clone();
  for (int i = 0; i <= plain.last().index; ++i) plain.set_frozen({i}, false);
  digester.add(graph_to_json(plain).dump());
  for (const Param& param : graph.params()) digester.add(param.value.data());
  digester.add(preprocess.to_json().dump());
  if (augment.any()) {
    digester.add(augment.to_json().dump());
    digester.add(seed);
  }
  return digester.digest();
}

ConstView PrefixRunner::run(ConstView images, std::size_t count) {
  const ConstView rows = executor_.forward(images);
  const auto row = rows.data.size() / static_cast<std::size_t>(rows.shape.n);
  if (!std::ranges::all_of(rows.data.first(row * count), [](float x) { return std::isfinite(x); }))
    throw Error(ErrorKind::diverged,
                text("features: a value is not finite; the first layer to blame is \"",
                     executor_.find_not_finite(images, 0), "\"; are the weights damaged?"));
  return rows;
}

}  // namespace enxerto
