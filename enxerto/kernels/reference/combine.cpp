#include <algorithm>

#include "enxerto/kernels/reference/reference.h"

namespace enxerto::reference {
namespace {

class Add : public Kernel {
 public:
  void forward(const std::vector<Block>& in, std::vector<Block>&, Block& out, Rng) const override {
    out = in[0];
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += in[1][i];
  }

  void backward(const std::vector<Block>&, const std::vector<Block>&, const Block&, const Block& dout,
                std::vector<Block>& din, std::vector<Block>& dparams, Rng) const override {
    din = {dout, dout};
    dparams.clear();
  }
};

class Multiply : public Kernel {
 public:
  explicit Multiply(const MultiplySpec& spec)
      : shared_(static_cast<std::size_t>(spec.a.size() / spec.b.size())) {}

  void forward(const std::vector<Block>& in, std::vector<Block>&, Block& out, Rng) const override {
    out = in[0];
    for (std::size_t i = 0; i < out.size(); ++i) out[i] *= in[1][i / shared_];
  }

  void backward(const std::vector<Block>& in, const std::vector<Block>&, const Block&, const Block& dout,
                std::vector<Block>& din, std::vector<Block>& dparams, Rng) const override {
    din = {dout, zeros(static_cast<std::int64_t>(in[1].size()))};
    dparams.clear();
    for (std::size_t i = 0; i < dout.size(); ++i) {
      din[0][i] *= in[1][i / shared_];
      din[1][i / shared_] += dout[i] * in[0][i];
    }
  }

 private:
  std::size_t shared_;  ///< elements of a that one element of b multiplies; they lie side by side
};

class Concat : public Kernel {
 public:
  explicit Concat(const ConcatSpec& spec) : spec_(spec) {}

  void forward(const std::vector<Block>& in, std::vector<Block>&, Block& out, Rng) const override {
    out = zeros(spec_.out.size());
    for_each_part([&](std::size_t input, std::int64_t size, std::int64_t at, std::int64_t in_out) {
      std::copy_n(in[input].begin() + at, size, out.begin() + in_out);
    });
  }

  void backward(const std::vector<Block>&, const std::vector<Block>&, const Block&, const Block& dout,
                std::vector<Block>& din, std::vector<Block>& dparams, Rng) const override {
    din.clear();
    for (const Shape& shape : spec_.in) din.push_back(zeros(shape.size()));
    dparams.clear();
    for_each_part([&](std::size_t input, std::int64_t size, std::int64_t at, std::int64_t in_out) {
      std::copy_n(dout.begin() + in_out, size, din[input].begin() + at);
    });
  }

 private:
  /// visit(input, elements of it in one picture, where they lie in the input, where in the output).
  template <class Visit>
  void for_each_part(Visit visit) const {
    std::int64_t in_out = 0;
    for (std::int64_t n = 0; n < spec_.out.n; ++n)
      for (std::size_t input = 0; input < spec_.in.size(); ++input) {
        const std::int64_t size = spec_.in[input].size() / spec_.in[input].n;
        visit(input, size, n * size, in_out);
        in_out += size;
      }
  }

  ConcatSpec spec_;
};

class ChannelPad : public Kernel {
 public:
  explicit ChannelPad(const ChannelPadSpec& spec) : spec_(spec) {}

  void forward(const std::vector<Block>& in, std::vector<Block>&, Block& out, Rng) const override {
    out = zeros(spec_.out.size());
    for_each_element([&](std::size_t inner, std::size_t outer) { out[outer] = in[0][inner]; });
  }

  void backward(const std::vector<Block>&, const std::vector<Block>&, const Block&, const Block& dout,
                std::vector<Block>& din, std::vector<Block>& dparams, Rng) const override {
    din = {zeros(spec_.in.size())};
    dparams.clear();
    for_each_element([&](std::size_t inner, std::size_t outer) { din[0][inner] = dout[outer]; });
  }

 private:
  /// visit(where an element lies in the input, where in the output).
  template <class Visit>
  void for_each_element(Visit visit) const {
    const Shape& in = spec_.in;
    for (std::int64_t n = 0; n < in.n; ++n)
      for (std::int64_t c = 0; c < in.c; ++c)
        for (std::int64_t h = 0; h < in.h; ++h)
          for (std::int64_t w = 0; w < in.w; ++w)
            visit(place(in, n, c, h, w), place(spec_.out, n, c + spec_.before, h, w));
  }

  ChannelPadSpec spec_;
};

}  // namespace

std::unique_ptr<Kernel> add(const AddSpec&) { return std::make_unique<Add>(); }
std::unique_ptr<Kernel> multiply(const MultiplySpec& spec) { return std::make_unique<Multiply>(spec); }
std::unique_ptr<Kernel> concat(const ConcatSpec& spec) { return std::make_unique<Concat>(spec); }
std::unique_ptr<Kernel> channel_pad(const ChannelPadSpec& spec) { return std::make_unique<ChannelPad>(spec); }
std::unique_ptr<Kernel> flatten(const Shape&) { return activation({.kind = Activation::none}); }

}  // namespace enxerto::reference
