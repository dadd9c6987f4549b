#include "enxerto/train/optimizer.h"

#include <algorithm>
#include <cmath>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/train/chunks.h"
#include "enxerto/train/fields_json.h"

namespace enxerto {
namespace {

/// What one step does to one number: made from the configuration, the rate and the number of the step
/// (from 1), applied to w, its gradient and the slots.
template <class Config>
struct Rule;

template <>
struct Rule<Sgd> {
  static std::vector<std::string> slots(const Sgd&) { return {}; }
  Rule(const Sgd&, double lr, std::int64_t) : lr_(static_cast<float>(lr)) {}
  void operator()(float& w, float g) const { w -= lr_ * g; }

 private:
  float lr_;
};

template <>
struct Rule<Momentum> {
  static std::vector<std::string> slots(const Momentum&) { return {"velocity"}; }
  /// One formula for both forms: v = mu v + take g; w -= go v.
  Rule(const Momentum& config, double lr, std::int64_t step) : mu_(static_cast<float>(config.mu)) {
    const bool pytorch = config.form == Form::pytorch;
    take_ = static_cast<float>(pytorch ? (step == 1 ? 1 : 1 - config.dampening) : -lr);
    go_ = static_cast<float>(pytorch ? lr : -1);
  }
  void operator()(float& w, float g, float& v) const {
    v = mu_ * v + take_ * g;
    w -= go_ * v;
  }

 private:
  float mu_, take_, go_;
};

template <>
struct Rule<Nesterov> {
  static std::vector<std::string> slots(const Nesterov&) { return {"velocity"}; }
  /// One formula for both forms: v = mu v + take g; w -= go (mu v + take g).
  Rule(const Nesterov& config, double lr, std::int64_t) : mu_(static_cast<float>(config.mu)) {
    const bool pytorch = config.form == Form::pytorch;
    take_ = static_cast<float>(pytorch ? 1 : -lr);
    go_ = static_cast<float>(pytorch ? lr : -1);
  }
  void operator()(float& w, float g, float& v) const {
    v = mu_ * v + take_ * g;
    w -= go_ * (mu_ * v + take_ * g);
  }

 private:
  float mu_, take_, go_;
};

/// 1 / (sqrt(s) + outside) or 1 / sqrt(s + inside).
struct Root {
  Root(Form form, double eps)
      : inside(form == Form::textbook ? static_cast<float>(eps) : 0),
        outside(form == Form::pytorch ? static_cast<float>(eps) : 0) {}
  float operator()(float s) const { return std::sqrt(s + inside) + outside; }
  float inside, outside;
};

template <>
struct Rule<AdaGrad> {
  static std::vector<std::string> slots(const AdaGrad&) { return {"square"}; }
  Rule(const AdaGrad& config, double lr, std::int64_t step)
      : lr_(static_cast<float>(lr / (1 + static_cast<double>(step - 1) * config.lr_decay))),
        root_(config.form, config.eps) {}
  void operator()(float& w, float g, float& s) const {
    s += g * g;
    w -= lr_ * (g / root_(s));
  }

 private:
  float lr_;
  Root root_;
};

template <>
struct Rule<RmsProp> {
  static std::vector<std::string> slots(const RmsProp& config) {
    if (config.centered) return {"square", "velocity", "mean"};
    if (config.mu != 0) return {"square", "velocity"};
    return {"square"};
  }
  Rule(const RmsProp& config, double lr, std::int64_t)
      : alpha_(static_cast<float>(config.alpha)),
        rest_(static_cast<float>(1 - config.alpha)),
        mu_(static_cast<float>(config.mu)),
        root_(config.form, config.eps) {
    const bool pytorch = config.form == Form::pytorch;
    take_ = static_cast<float>(pytorch ? 1 : -lr);
    go_ = static_cast<float>(pytorch ? lr : -1);
  }
  void operator()(float& w, float g, float& s) const {
    s = alpha_ * s + rest_ * (g * g);
    w -= go_ * (take_ * g / root_(s));
  }
  void operator()(float& w, float g, float& s, float& v) const {
    s = alpha_ * s + rest_ * (g * g);
    v = mu_ * v + take_ * g / root_(s);
    w -= go_ * v;
  }
  void operator()(float& w, float g, float& s, float& v, float& m) const {
    s = alpha_ * s + rest_ * (g * g);
    m = alpha_ * m + rest_ * g;
    // Rounding may take the variance below zero.
    v = mu_ * v + take_ * g / root_(std::max(s - m * m, 0.0f));
    w -= go_ * v;
  }

 private:
  float alpha_, rest_, mu_, take_ = 0, go_ = 0;
  Root root_;
};

template <>
struct Rule<AdaDelta> {
  static std::vector<std::string> slots(const AdaDelta&) { return {"square", "change"}; }
  Rule(const AdaDelta& config, double lr, std::int64_t)
      : rho_(static_cast<float>(config.rho)),
        rest_(static_cast<float>(1 - config.rho)),
        eps_(static_cast<float>(config.eps)),
        lr_(config.form == Form::pytorch ? static_cast<float>(lr) : 1) {}
  void operator()(float& w, float g, float& s, float& a) const {
    s = rho_ * s + rest_ * (g * g);
    const float d = g * (std::sqrt(a + eps_) / std::sqrt(s + eps_));
    a = rho_ * a + rest_ * (d * d);
    w -= lr_ * d;
  }

 private:
  float rho_, rest_, eps_, lr_;
};

template <>
struct Rule<Adam> {
  static std::vector<std::string> slots(const Adam&) { return {"mean", "square"}; }
  Rule(const Adam& config, double lr, std::int64_t step)
      : beta1_(static_cast<float>(config.beta1)),
        rest1_(static_cast<float>(1 - config.beta1)),
        beta2_(static_cast<float>(config.beta2)),
        rest2_(static_cast<float>(1 - config.beta2)),
        eps_(static_cast<float>(config.eps)) {
    const double t = static_cast<double>(step);
    const double bias1 = 1 - std::pow(config.beta1, t), bias2 = std::sqrt(1 - std::pow(config.beta2, t));
    const bool pytorch = config.form == Form::pytorch;
    lr_ = static_cast<float>(pytorch ? lr / bias1 : lr * bias2 / bias1);
    root_scale_ = static_cast<float>(pytorch ? 1 / bias2 : 1);
  }
  void operator()(float& w, float g, float& m, float& s) const {
    m = beta1_ * m + rest1_ * g;
    s = beta2_ * s + rest2_ * (g * g);
    w -= lr_ * (m / (std::sqrt(s) * root_scale_ + eps_));
  }

 private:
  float beta1_, rest1_, beta2_, rest2_, eps_, lr_ = 0, root_scale_ = 1;
};

template <>
struct Rule<AdamW> : Rule<Adam> {
  static Adam adam(const AdamW& config) { return {config.beta1, config.beta2, config.eps, config.form}; }
  static std::vector<std::string> slots(const AdamW& config) { return Rule<Adam>::slots(adam(config)); }
  Rule(const AdamW& config, double lr, std::int64_t step) : Rule<Adam>(adam(config), lr, step) {}
};

/// Applies `rule` to `count` numbers, each slot in an argument of its own so that the loop is vectorised.
template <class Rule, class Gradient, class... Slots>
void apply(std::size_t count, const Rule& rule, const Gradient& gradient, float keep, float* __restrict w,
           const float* __restrict g, Slots* __restrict... slots) {
  if constexpr (std::is_invocable_v<const Rule&, float&, float, Slots&...>) {
#pragma omp simd
    for (std::size_t i = 0; i < count; ++i) {
      const float shaped = gradient(g[i], w[i]);
      float value = keep * w[i];
      rule(value, shaped, slots[i]...);
      w[i] = value;
    }
  } else {
    ensure(false, "the rule has as many slots as it names");
  }
}

template <class Config>
double weight_decay_of(const Config& config) {
  if constexpr (requires { config.weight_decay; })
    return config.weight_decay;
  else
    return 0;
}

template <class Config>
class Runner final : public Optimizer {
 public:
  Runner(const Config& config, std::span<const Update> updates) : Optimizer(updates.size()), config_(config) {
    for (const std::string& name : Rule<Config>::slots(config)) {
      Slot slot{name, {}};
      for (const Update& update : updates)
        slot.blocks.emplace_back(Shape{.n = static_cast<std::int64_t>(update.value.size())});
      slots_.push_back(std::move(slot));
    }
  }

  void step(std::span<const Update> updates, double lr, const Shaping& shaping) override {
    ++steps_;
    rules_.clear();
    keeps_.clear();
    for (std::size_t i = 0; i < updates.size(); ++i) {
      rules_.emplace_back(config_, lr * rates_[i], steps_ - joined_[i]);
      keeps_.push_back(static_cast<float>(1 - lr * rates_[i] * weight_decay_of(config_)));
    }
    const auto scale = static_cast<float>(shaping.scale);
    const auto l1 = static_cast<float>(shaping.penalty.l1), l2 = static_cast<float>(shaping.penalty.l2);
    const std::vector<Chunk> chunks = chunks_of(updates);
#pragma omp parallel for schedule(static) if (worth_threads(chunks))
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      const Chunk& chunk = chunks[i];
      const bool decays = updates[chunk.update].decays;
      const Rule<Config>& rule = rules_[chunk.update];
      const float keep = keeps_[chunk.update];
      if (decays && shaping.penalty.any())
        run(updates, chunk, rule, keep, [=](float g, float w) {
          return scale * (g + l1 * static_cast<float>((w > 0) - (w < 0)) + l2 * w);
        });
      else
        run(updates, chunk, rule, decays ? keep : 1.0f, [=](float g, float) { return scale * g; });
    }
  }

 private:
  template <class Gradient>
  void run(std::span<const Update> updates, const Chunk& chunk, const Rule<Config>& rule, float keep,
           const Gradient& gradient) {
    const std::size_t count = chunk.end - chunk.begin;
    float* w = updates[chunk.update].value.data() + chunk.begin;
    const float* g = updates[chunk.update].grad.data() + chunk.begin;
    const auto slot = [&](std::size_t s) {
      return slots_[s].blocks[chunk.update].data().data() + chunk.begin;
    };
    switch (slots_.size()) {
      case 0:
        return apply(count, rule, gradient, keep, w, g);
      case 1:
        return apply(count, rule, gradient, keep, w, g, slot(0));
      case 2:
        return apply(count, rule, gradient, keep, w, g, slot(0), slot(1));
      default:
        return apply(count, rule, gradient, keep, w, g, slot(0), slot(1), slot(2));
    }
  }

  Config config_;
  std::vector<Rule<Config>> rules_;  ///< of this step, for each update
  std::vector<float> keeps_;         ///< what weight decay leaves of each
};

constexpr std::string_view joined_name = "joined/";

void check_optimizer(const OptimizerConfig& config) {
  std::visit(
      [](const auto& held) {
        const auto check = [&](double value, bool holds, std::string_view wrong) {
          if (!std::isfinite(value) || !holds)
            throw Error(ErrorKind::usage, text("optimizer ", held.kind, ": ", wrong, ", not ", value));
        };
        const auto part = [&](double value, std::string_view name) {
          check(value, value >= 0 && value < 1, text(name, " has to be at least 0 and below 1"));
        };
        if constexpr (requires { held.mu; }) part(held.mu, "mu");
        if constexpr (requires { held.alpha; }) part(held.alpha, "alpha");
        if constexpr (requires { held.rho; }) part(held.rho, "rho");
        if constexpr (requires { held.beta1; }) part(held.beta1, "beta1");
        if constexpr (requires { held.beta2; }) part(held.beta2, "beta2");
        if constexpr (requires { held.dampening; }) {
          check(held.dampening, held.dampening >= 0 && held.dampening <= 1,
                "dampening has to lie between 0 and 1");
          check(held.dampening, held.dampening == 0 || held.form == Form::pytorch,
                "dampening is for the form pytorch");
        }
        // Zero would divide 0 by 0 where a gradient has always been 0; so would less than a float can be.
        if constexpr (requires { held.eps; })
          check(held.eps, held.eps >= 1e-30 && held.eps <= 1e30, "eps has to be above 0");
        if constexpr (requires { held.lr_decay; })
          check(held.lr_decay, held.lr_decay >= 0, "lr_decay has to be 0 or more");
        check(weight_decay_of(held), weight_decay_of(held) >= 0, "weight_decay has to be 0 or more");
      },
      config);
}

}  // namespace

std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config, std::span<const Update> updates) {
  check_optimizer(config);
  return std::visit(
      [&](const auto& held) -> std::unique_ptr<Optimizer> {
        return std::make_unique<Runner<std::decay_t<decltype(held)>>>(held, updates);
      },
      config);
}

NamedTensors optimizer_state(const Optimizer& optimizer, const Executor& executor) {
  NamedTensors state;
  const auto updates = executor.updates();
  for (const auto& slot : optimizer.slots())
    for (std::size_t i = 0; i < updates.size(); ++i) {
      Tensor plain = executor.unpack(i, slot.blocks[i].data());
      const Shape& shape = plain.shape();
      state.push_back(
          {text(slot.name, "/", updates[i].name), {shape.n, shape.c, shape.h, shape.w}, std::move(plain)});
    }
  for (std::size_t i = 0; i < updates.size(); ++i) {
    if (optimizer.joined()[i] == 0) continue;
    Tensor steps({.n = 1});
    steps.data()[0] = static_cast<float>(optimizer.joined()[i]);
    state.push_back({text(joined_name, updates[i].name), {1}, std::move(steps)});
  }
  return state;
}

void restore_optimizer(Optimizer& optimizer, const Executor& executor, const NamedTensors& state,
                       std::int64_t steps, std::string_view where, bool may_be_new) {
  const auto updates = executor.updates();
  const std::size_t wanted = optimizer.slots().size() * updates.size();
  const auto is_slot = [](const NamedTensor& tensor) { return !tensor.name.starts_with(joined_name); };
  const auto given = static_cast<std::size_t>(std::ranges::count_if(state, is_slot));
  if (given != wanted && !(may_be_new && given < wanted))
    throw Error(ErrorKind::corrupt,
                text(where, ": it has ", given, " tensors of the optimizer, this one has ", wanted));
  for (std::size_t i = 0; i < updates.size(); ++i) {
    const NamedTensor* joined = find_tensor(state, text(joined_name, updates[i].name));
    optimizer.joined()[i] = joined ? static_cast<std::int64_t>(joined->value.data()[0]) : 0;
    if (optimizer.joined()[i] < 0 || optimizer.joined()[i] > steps)
      throw Error(ErrorKind::corrupt, text(where, ": ", joined->name, " makes no sense"));
    const bool is_new = std::ranges::none_of(optimizer.slots(), [&](const Optimizer::Slot& slot) {
      return find_tensor(state, text(slot.name, "/", updates[i].name));
    });
    if (may_be_new && is_new && !joined) optimizer.joined()[i] = steps;
  }
  for (auto& slot : optimizer.slots())
    for (std::size_t i = 0; i < updates.size(); ++i) {
      if (may_be_new && optimizer.joined()[i] == steps) continue;
      const std::string name = text(slot.name, "/", updates[i].name);
      const NamedTensor* found = find_tensor(state, name);
      const Shape shape = executor.unpack(i, slot.blocks[i].data()).shape();
      if (!found || found->value.shape() != shape)
        throw Error(ErrorKind::corrupt,
                    text(where, ": the optimizer's ", name, found ? " has another shape" : " is missing"));
      executor.pack(i, found->value.view(), slot.blocks[i].data());
    }
  optimizer.set_steps(steps);
}

OptimizerConfig parse_optimizer(std::string_view name) {
  return variant_of_kind<OptimizerConfig>("optimizer", name, ErrorKind::usage);
}

std::vector<std::string> optimizer_names() { return kinds_of<OptimizerConfig>(); }

double usual_lr(const OptimizerConfig& config) {
  if (std::holds_alternative<AdaDelta>(config)) return 1;
  const bool scaled = std::holds_alternative<Adam>(config) || std::holds_alternative<AdamW>(config) ||
                      std::holds_alternative<RmsProp>(config);
  return scaled ? 1e-3 : 1e-2;
}

}  // namespace enxerto
