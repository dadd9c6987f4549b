// enxerto doctor: what is wrong with a set of pictures.
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/training.h"
#include "enxerto/core/system.h"
#include "enxerto/core/text.h"
#include "enxerto/doctor/diagnosis.h"

namespace enxerto::cli {
namespace {

struct DoctorFlags {
  Common common;
  std::string data;
};

int run_doctor(const DoctorFlags& flags) {
  set_threads(flags.common.threads);
  const Splits splits = open_data(flags.data, {.classes = {}, .for_training = false});
  const Examination examined = examine(splits, {.threads = threads(), .on_progress = {}});
  print_json(to_json(examined, diagnose(examined, {}, threads())));
  return 0;
}

}  // namespace

void add_doctor(CLI::App& app, Action& chosen) {
  auto flags = std::make_shared<DoctorFlags>();
  CLI::App* verb = app.add_subcommand("doctor", "Say what is wrong with a set of pictures");
  verb->add_option("data", flags->data, "Data as `enxerto train` takes them")->required()->type_name("DATA");
  add_threads(*verb, flags->common);
  add_json(*verb, flags->common);
  verb->callback([flags, &chosen] { chosen = [flags] { return run_doctor(*flags); }; });
}

}  // namespace enxerto::cli
