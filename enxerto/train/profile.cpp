#include "enxerto/train/profile.h"

#include <algorithm>
#include <array>
#include <map>

#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/train/loss.h"

namespace enxerto {
namespace {

/// "a / b / c" of a layer names its forward, data and weight kernels: the part that this step runs.
std::string part_of(const StepProfile& step) {
  const auto first = step.implementation.find(" / ");
  if (first == std::string::npos) return step.implementation;
  return step.backward ? step.implementation.substr(first + 3) : step.implementation.substr(0, first);
}

ProfileRow row_of(const StepProfile& before, const StepProfile& after, const Peak& peak) {
  ProfileRow row{.node = after.node,
                 .kind = after.kind,
                 .implementation = part_of(after),
                 .backward = after.backward,
                 .live_bytes = after.live_bytes};
  row.seconds = (after.seconds - before.seconds) / static_cast<double>(after.runs - before.runs);
  row.gflops = 2e-9 * static_cast<double>(after.multiply_adds) / row.seconds;
  row.gbytes = 1e-9 * static_cast<double>(after.bytes) / row.seconds;
  const double arithmetic = row.gflops / peak.gflops, memory = row.gbytes / peak.gbytes;
  row.memory_binds = memory > arithmetic;
  row.share = std::max(memory, arithmetic);
  return row;
}

const char* direction_of(bool backward) { return backward ? "backward" : "forward"; }

}  // namespace

StepJob::StepJob(Graph graph, const ExecutorConfig& config)
    : image_(graph.input_shape()),
      out_(graph.output_shape()),
      executor_(std::move(graph), config),
      train_(config.train) {
  Rng rng(2);
  Shape image = image_;
  image.n = config.batch;
  images_ = Tensor(image);
  for (float& each : images_.data()) each = rng.normal();
  if (!train_) return;
  Shape out = out_;
  if (out.h != 1 || out.w != 1 || out.c < 2)
    throw Error(ErrorKind::usage,
                text("a training step is profiled with softmax cross-entropy, and this network "
                     "gives ",
                     format_shape(out), ": profile it without --train"));
  if (executor_.updates().empty())
    throw Error(ErrorKind::usage,
                "everything is frozen: there is nothing to train; profile it without --train");
  out.n = config.batch;
  doutputs_ = Tensor(out);
  for (int i = 0; i < config.batch; ++i)
    labels_.push_back(static_cast<std::int32_t>(rng.bits() % static_cast<std::uint64_t>(out.c)));
  optimizer_ = make_optimizer(Momentum{}, executor_.updates());
}

double StepJob::run() {
  const double start = now_seconds();
  const ConstView outputs = executor_.forward(images_.view(), step_++);
  if (train_) {
    cross_entropy({}, outputs, labels_, doutputs_.view());
    executor_.backward(doutputs_.view());
    optimizer_->step(executor_.updates(), 0.01);
  }
  return now_seconds() - start;
}

Profile profile(StepJob& job, int runs, const Peak& peak) {
  ensure(runs > 0, "a profile is of some runs");
  for (int i = 0; i < 2; ++i) job.run();
  const std::vector<StepProfile> before = job.executor().profile();
  Profile made;
  made.peak = peak;
  double total = 0;
  for (int i = 0; i < runs; ++i) {
    made.seconds.push_back(job.run());
    total += made.seconds.back();
  }
  const std::vector<StepProfile> after = job.executor().profile();
  std::ranges::sort(made.seconds);
  made.median = (made.seconds[(made.seconds.size() - 1) / 2] + made.seconds[made.seconds.size() / 2]) / 2;
  made.between = total / runs;
  for (std::size_t i = 0; i < after.size(); ++i) {
    made.rows.push_back(row_of(before[i], after[i], peak));
    made.between -= made.rows.back().seconds;
    if (made.rows[i].live_bytes > made.rows[made.peak_row].live_bytes) made.peak_row = i;
  }
  made.arena_bytes = job.executor().memory_bytes();
  made.param_bytes = job.executor().param_bytes();
  return made;
}

std::string format_profile(const Profile& profile) {
  double total = profile.between;
  for (const ProfileRow& row : profile.rows) total += row.seconds;
  const auto share = [&](double seconds) { return fixed(100 * seconds / total, 1) + " %"; };

  using Line = std::array<std::string, 9>;
  std::vector<Line> lines = {
      {"Layer", "Kind", "Direction", "ms", "of all", "GFLOP/s", "GB/s", "of peak", "Implementation"}};
  struct Sum {
    double seconds = 0, gflop = 0;
  };
  std::map<std::string, Sum> kinds;
  for (const ProfileRow& row : profile.rows) {
    const std::string direction = direction_of(row.backward);
    lines.push_back({row.node, row.kind, direction, fixed(row.seconds * 1e3, 3), share(row.seconds),
                     row.gflops > 0 ? fixed(row.gflops, 1) : "", fixed(row.gbytes, 1),
                     text(fixed(100 * row.share, 0), row.memory_binds ? " % mem" : " % alu"),
                     row.implementation});
    Sum& sum = kinds[row.kind + " " + direction];
    sum.seconds += row.seconds;
    sum.gflop += row.gflops * row.seconds;
  }
  std::array<std::size_t, 9> widths{};
  for (const Line& line : lines)
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  std::string out;
  for (const Line& line : lines)
    for (std::size_t i = 0; i < line.size(); ++i) {
      const std::string space(widths[i] - line[i].size(), ' ');
      const bool is_number = i >= 3 && i + 1 < line.size();
      out += is_number ? space + line[i] : i + 1 < line.size() ? line[i] + space : line[i];
      out += i + 1 < line.size() ? "  " : "\n";
    }
  out += "\n";
  kinds["between the layers"] = {profile.between, 0};
  std::vector<std::pair<std::string, Sum>> ranked(kinds.begin(), kinds.end());
  std::ranges::sort(ranked, [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
  for (const auto& [kind, sum] : ranked) {
    const std::string ms = fixed(sum.seconds * 1e3, 3), of_all = share(sum.seconds);
    out += text(kind, std::string(kind.size() < 32 ? 32 - kind.size() : 1, ' '),
                std::string(ms.size() < 10 ? 10 - ms.size() : 0, ' '), ms, " ms ",
                std::string(of_all.size() < 7 ? 7 - of_all.size() : 0, ' '), of_all,
                sum.gflop > 0 ? text("  ", fixed(sum.gflop / sum.seconds, 1), " GFLOP/s") : "", "\n");
  }
  const ProfileRow& peak = profile.rows.at(profile.peak_row);
  out += text("\nPeak of the chip: ", fixed(profile.peak.gflops, 0), " GFLOP/s (fp32 multiply-adds, ",
              profile.peak.instructions, "), ", fixed(profile.peak.gbytes, 1), " GB/s\n");
  out += text("Memory:           ", human_bytes(static_cast<double>(profile.arena_bytes)),
              " for activations, of which ", human_bytes(static_cast<double>(peak.live_bytes)),
              " are in use at ", peak.node.empty() ? peak.kind : peak.node, " (", direction_of(peak.backward),
              "); ", human_bytes(static_cast<double>(profile.param_bytes)),
              " for parameters and their gradients\n");
  return out;
}

nlohmann::json profile_to_json(const Profile& profile) {
  nlohmann::json rows = nlohmann::json::array();
  for (const ProfileRow& row : profile.rows)
    rows.push_back({{"node", row.node},
                    {"kind", row.kind},
                    {"direction", direction_of(row.backward)},
                    {"implementation", row.implementation},
                    {"ms", row.seconds * 1e3},
                    {"gflops", row.gflops},
                    {"gbytes", row.gbytes},
                    {"share_of_peak", row.share},
                    {"binds", row.memory_binds ? "memory" : "arithmetic"},
                    {"live_bytes", row.live_bytes}});
  const ProfileRow& peak = profile.rows.at(profile.peak_row);
  return {{"seconds", profile.median},
          {"all_seconds", profile.seconds},
          {"between_seconds", profile.between},
          {"peak",
           {{"instructions", profile.peak.instructions},
            {"gflops", profile.peak.gflops},
            {"gbytes", profile.peak.gbytes}}},
          {"arena_bytes", profile.arena_bytes},
          {"param_bytes", profile.param_bytes},
          {"peak_live_bytes", peak.live_bytes},
          {"peak_live_at", peak.node},
          {"profile", std::move(rows)}};
}

}  // namespace enxerto
