// enxerto report: run folders to pages and tables.
#include "enxerto/report/report.h"

#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "enxerto/core/error.h"

namespace enxerto::cli {
namespace {

struct ReportFlags {
  Common common;
  std::vector<std::string> runs;
  std::string language, out;
};

/// Where the page of several runs goes.
std::filesystem::path comparison_of(const ReportFlags& flags) {
  return flags.out.empty() ? std::filesystem::path(flags.runs.front()) / "comparison.html"
                           : std::filesystem::path(flags.out);
}

int run_report(const ReportFlags& flags) {
  if (!flags.out.empty() && flags.runs.size() < 2)
    throw Error(ErrorKind::usage,
                "--out is for several runs side by side; a run's own page is its report.html");
  nlohmann::json reports = nlohmann::json::array();
  for (const std::string& run : flags.runs) {
    const std::string place = write_report(run, flags.language).string();
    if (!flags.common.json)
      std::cout << (reports.empty() ? "" : "\n") << text_summary(run, flags.language) << "Report: " << place
                << std::endl;
    reports.push_back(place);
  }
  nlohmann::json made{{"reports", reports}};
  // More than can be told apart get their own pages only.
  if (!flags.out.empty() || (flags.runs.size() > 1 && flags.runs.size() <= most_runs)) {
    const std::filesystem::path page = comparison_of(flags);
    write_comparison({flags.runs.begin(), flags.runs.end()}, page, flags.language);
    made["comparison"] = page.string();
    if (!flags.common.json) std::cout << "\nSide by side: " << page.string() << std::endl;
  }
  if (flags.common.json) print_json(made);
  return 0;
}

}  // namespace

void add_report(CLI::App& app, Action& chosen) {
  auto flags = std::make_shared<ReportFlags>();
  CLI::App* verb = app.add_subcommand(
      "report", "Write a run's report.html anew, and its figures; of several also a page side by side");
  verb->add_option("run", flags->runs, "Run folders")->required()->type_name("RUN");
  verb->add_option("--out", flags->out, "Page of several runs side by side (comparison.html of the first)")
      ->type_name("FILE.html");
  verb->add_option("--lang", flags->language, "Language of page and figures: en or pt (the page has both)")
      ->check(CLI::IsMember({"en", "pt"}))
      ->type_name("L");
  add_json(*verb, flags->common);
  verb->footer(
      "Example:\n"
      "  enxerto report run\n"
      "  enxerto report run1 run2 --out both.html");
  verb->callback([flags, &chosen] { chosen = [flags] { return run_report(*flags); }; });
}

}  // namespace enxerto::cli
