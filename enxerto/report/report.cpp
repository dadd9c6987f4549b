#include "enxerto/report/report.h"

#include "enxerto/core/error.h"
#include "enxerto/core/file.h"
#include "enxerto/core/text.h"
#include "enxerto/report/compare_page.h"
#include "enxerto/report/page.h"
#include "enxerto/report/run_record.h"
#include "enxerto/report/summary.h"

namespace enxerto {

std::filesystem::path write_report(const std::filesystem::path& run, std::string_view language) {
  const std::filesystem::path page = run / "report.html";
  write_file(page, make_page(load_run(run), languages_of(language)));
  return page;
}

void write_comparison(const std::vector<std::filesystem::path>& runs, const std::filesystem::path& page,
                      std::string_view language) {
  if (runs.size() < 2 || runs.size() > most_runs)
    throw Error(ErrorKind::usage,
                text("2 to ", most_runs, " runs can be put side by side, not ", runs.size()));
  std::vector<RunRecord> records;
  for (const std::filesystem::path& run : runs) records.push_back(load_run(run));
  write_file(page, make_comparison(records, languages_of(language)));
}

std::string text_summary(const std::filesystem::path& run, std::string_view language) {
  return summarize_run(load_run(run), languages_of(language).front());
}

}  // namespace enxerto
