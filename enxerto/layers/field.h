/// Fields: what drives saving, loading and printing a layer.
#pragma once

#include <tuple>

namespace enxerto {

/// One member of a layer with its name in files.
template <class L, class T>
struct Field {
  const char* name;
  T L::*member;
};

template <class L, class T>
constexpr Field<L, T> field(const char* name, T L::*member) {
  return {name, member};
}

}  // namespace enxerto
