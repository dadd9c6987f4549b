#include "enxerto/kernels/op.h"

#include <algorithm>

#include "enxerto/core/error.h"

namespace enxerto {

void Op::backward(const Backward&) { ensure(false, "backward is asked only of an Op planned for it"); }

void Op::rebuild(const Forward&) { ensure(false, "rebuild is asked only of an Op that says it can"); }

void Op::pack(int param, std::span<const float> plain, std::span<float> packed) const {
  ensure(static_cast<std::size_t>(param) < info_.params.size() && plain.size() == packed.size(),
         "a parameter that is packed as a copy keeps its size");
  std::ranges::copy(plain, packed.begin());
}

void Op::unpack(int param, std::span<const float> packed, std::span<float> plain) const {
  ensure(static_cast<std::size_t>(param) < info_.params.size() && plain.size() == packed.size(),
         "a parameter that is unpacked as a copy keeps its size");
  std::ranges::copy(packed, plain.begin());
}

}  // namespace enxerto
