#include "enxerto/heads/linear_head.h"

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {

LinearHead LinearHead::clone() const {
  LinearHead made;
  made.w = w.clone();
  made.b = b.clone();
  return made;
}

Tensor LinearHead::scores(ConstView x) const {
  if (x.shape.c != w.shape().c || x.shape.h != 1 || x.shape.w != 1)
    throw Error(ErrorKind::usage, text("features of ", format_shape(x.shape), " for a head that takes ",
                                       w.shape().c, " columns: they come from another network or cut"));
  Tensor made({.n = x.shape.n, .c = classes()});
  const std::int64_t columns = x.shape.c;
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < x.shape.n; ++i)
    for (int k = 0; k < classes(); ++k) {
      const float* const row = x.data.data() + i * columns;
      const float* const weight = w.data().data() + k * columns;
      float sum = 0;
#pragma omp simd reduction(+ : sum)
      for (std::int64_t j = 0; j < columns; ++j) sum += row[j] * weight[j];
      made.data()[static_cast<std::size_t>(i * classes() + k)] = sum + b.data()[static_cast<std::size_t>(k)];
    }
  return made;
}

std::vector<std::int32_t> LinearHead::predictions(ConstView x) const {
  const Tensor all = scores(x);
  const auto count = static_cast<std::size_t>(classes());
  std::vector<std::int32_t> made(static_cast<std::size_t>(x.shape.n));
  for (std::size_t i = 0; i < made.size(); ++i) {
    const std::span<const float> row = all.data().subspan(i * count, count);
    std::size_t best = 0;
    for (std::size_t k = 1; k < count; ++k)
      if (row[k] > row[best]) best = k;
    made[i] = static_cast<std::int32_t>(best);
  }
  return made;
}

double LinearHead::accuracy(const Rows& rows) const {
  const std::vector<std::int32_t> predicted = predictions(rows.x);
  std::int64_t right = 0, all = 0;
  for (std::size_t i = 0; i < predicted.size(); ++i) {
    if (!rows.weights.empty() && rows.weights[i] == 0) continue;
    ++all;
    right += predicted[i] == rows.y[i] ? 1 : 0;
  }
  return all ? static_cast<double>(right) / static_cast<double>(all) : 0.0;
}

NamedTensors tensors_of(const LinearHead& head) {
  NamedTensors made;
  made.push_back({"weight", {head.w.shape().n, head.w.shape().c}, head.w.clone()});
  made.push_back({"bias", {head.b.shape().n}, head.b.clone()});
  return made;
}

LinearHead linear_head_from(const NamedTensors& tensors) {
  const NamedTensor* const w = find_tensor(tensors, "weight");
  const NamedTensor* const b = find_tensor(tensors, "bias");
  if (!w || !b)
    throw Error(ErrorKind::corrupt, "a linear head has tensors \"weight\" and \"bias\"; one is missing");
  if (w->dims.size() != 2 || b->dims.size() != 1 || w->dims[0] != b->dims[0] || w->dims[0] < 2 ||
      w->dims[1] < 1)
    throw Error(
        ErrorKind::corrupt,
        text("weight of ", format_shape(w->value.shape()), " and bias of ", format_shape(b->value.shape()),
             ": a linear head has {classes, columns} and {classes}, at least two classes"));
  LinearHead made;
  made.w = w->value.clone();
  made.b = b->value.clone();
  return made;
}

}  // namespace enxerto
