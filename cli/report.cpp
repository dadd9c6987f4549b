// enxerto report: run folders to pages and tables.
#include "enxerto/report/report.h"

#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"

namespace enxerto::cli {
namespace {

struct ReportFlags {
  Common common;
  std::vector<std::string> runs;
};

int run_report(const ReportFlags& flags) {
  nlohmann::json reports = nlohmann::json::array();
  for (const std::string& run : flags.runs) {
    const std::string place = write_report(run).string();
    if (!flags.common.json)
      std::cout << (reports.empty() ? "" : "\n") << text_summary(run) << "Report: " << place << std::endl;
    reports.push_back(place);
  }
  if (flags.common.json) print_json({{"reports", reports}});
  return 0;
}

}  // namespace

void add_report(CLI::App& app, Action& chosen) {
  auto flags = std::make_shared<ReportFlags>();
  CLI::App* verb = app.add_subcommand("report", "Write a run's report.html anew, and its figures");
  verb->add_option("run", flags->runs, "Run folders")->required()->type_name("RUN");
  add_json(*verb, flags->common);
  verb->footer(
      "Example:\n"
      "  enxerto report run");
  verb->callback([flags, &chosen] { chosen = [flags] { return run_report(*flags); }; });
}

}  // namespace enxerto::cli
