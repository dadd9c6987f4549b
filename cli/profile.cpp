// enxerto profile: where the time of a training step or an answer goes, layer by layer.
#include "enxerto/train/profile.h"

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/model.h"
#include "enxerto/core/error.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/zoo/zoo.h"

namespace enxerto::cli {
namespace {

struct ProfileFlags {
  Common common;
  ModelFlags model;  ///< or a net
  std::string freeze_through;
  int classes = 0, batch = 1, runs = 7;
  bool train = false, bf16 = false, keep = false, recompute = false;
};

int run_profile(const ProfileFlags& flags) {
  check_at_least("--batch", flags.batch, 1);
  check_at_least("--runs", flags.runs, 1);
  if (flags.model.size != 0) check_at_least("--size", flags.model.size, 1);
  if (flags.classes != 0) check_at_least("--classes", flags.classes, 1);
  if (flags.bf16) require_bf16();
  if ((flags.keep || flags.recompute) && !flags.train)
    throw Error(ErrorKind::usage,
                text(flags.keep ? "--keep" : "--recompute", " is for training steps; add --train"));
  set_threads(flags.common.threads);
  ModelFile model = load_net_or_model(flags.model, flags.classes, false);
  // A net that was only just made has weights of zero, and zeros are no load that anyone has.
  if (is_net(flags.model.path)) model.graph.init({}, Rng(1));
  if (!flags.freeze_through.empty()) model.graph.freeze_through(flags.freeze_through);
  StepJob job(std::move(model.graph), {.batch = flags.batch,
                                       .train = flags.train,
                                       .bf16 = flags.bf16,
                                       .recompute = flags.keep        ? Recompute::nothing
                                                    : flags.recompute ? Recompute::blocks
                                                                      : Recompute::passes});
  const Profile made = profile(job, flags.runs, measure_peak(threads()));
  const double rate = flags.batch / made.median;
  if (flags.common.json) {
    nlohmann::json json = profile_to_json(made);
    json["model"] = flags.model.path;
    json["train"] = flags.train;
    json["batch"] = flags.batch;
    json["threads"] = threads();
    json["chip"] = chip_name();
    json["images_per_second"] = rate;
    json["peak_memory_bytes"] = peak_memory_bytes();
    print_json(json);
    return 0;
  }
  std::cout << format_profile(made) << flags.model.path << (flags.train ? ", training, batch " : ", batch ")
            << flags.batch << ": " << fixed(made.median * 1e3, 2) << " ms, median of " << flags.runs << " ("
            << fixed(made.seconds.front() * 1e3, 2) << " to " << fixed(made.seconds.back() * 1e3, 2) << "), "
            << fixed(rate, 2) << " images/s\n"
            << chip_name() << ", " << threads() << (threads() == 1 ? " thread" : " threads") << '\n';
  return 0;
}

}  // namespace

void add_profile(CLI::App& app, Action& chosen) {
  auto flags = std::make_shared<ProfileFlags>();
  CLI::App* verb =
      app.add_subcommand("profile", "Measure where the time of a training step or an answer goes");
  add_model(*verb, flags->model);
  take_net_or_model(*verb);
  verb->add_flag("--train", flags->train, "A training step, not an answer");
  verb->add_option("--batch", flags->batch, "Pictures at once")->capture_default_str()->type_name("N");
  verb->add_option("--runs", flags->runs, "How often, after two to warm up")
      ->capture_default_str()
      ->type_name("N");
  verb->add_option("--classes", flags->classes, "Outputs (the net's own)")->type_name("N");
  verb->add_option("--freeze-through", flags->freeze_through, "All layers up to this one are not trained")
      ->type_name("LAYER");
  verb->add_flag("--bf16", flags->bf16, "Convolutions and batch norm in bfloat16");
  CLI::Option* const keep =
      verb->add_flag("--keep", flags->keep, "Outputs of batch norm are kept, not made anew: more memory");
  verb->add_flag("--recompute", flags->recompute,
                 "All outputs within blocks are made anew: less memory, more time")
      ->excludes(keep);
  add_threads(*verb, flags->common);
  add_json(*verb, flags->common);
  verb->footer(
      "For each layer: milliseconds, operations and bytes a second, and their share of what the chip was "
      "measured to\n"
      "do at most, in arithmetic (alu) or memory (mem), whichever binds. Winograd layers count the "
      "multiplications of\n"
      "the direct sum, so they may exceed 100 %.\n"
      "Examples:\n"
      "  enxerto profile resnet50 --batch 32\n"
      "  enxerto profile resnet18 --train --batch 32 --threads 2\n"
      "  enxerto profile run --json");
  verb->callback([flags, &chosen] { chosen = [flags] { return run_profile(*flags); }; });
}

}  // namespace enxerto::cli
