// Vectors of W floats as the compiler has them, for texts that are compiled once per instruction set.
// Included inside their unnamed namespaces: what is compiled for one instruction set never stands in for
// another's.

template <int W>
struct Vectors {
  typedef float Float __attribute__((vector_size(W * sizeof(float))));
  typedef std::int32_t Int __attribute__((vector_size(W * sizeof(float))));
};
template <int W>
using F = typename Vectors<W>::Float;
template <int W>
using I = typename Vectors<W>::Int;

template <int W>
inline F<W> load(const float* from) {
  F<W> v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
template <int W>
inline void store(float* to, const F<W>& v) {
  std::memcpy(to, &v, sizeof v);
}
/// x in every place. Not 0 + x, which is an addition (it makes 0 of -0): x - 0 is x, and where x comes from
/// memory the load alone does it.
template <int W>
inline F<W> fill(float x) {
  return x - F<W>{};
}

/// The same place, which the compiler no longer knows to be that: it would keep what neighbours read again in
/// registers, of which the sums leave none.
inline const float* opaque(const float* at) {
  asm("" : "+r"(at));
  return at;
}
