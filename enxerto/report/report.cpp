#include "enxerto/report/report.h"

#include "enxerto/core/file.h"
#include "enxerto/report/page.h"
#include "enxerto/report/run_record.h"
#include "enxerto/report/summary.h"

namespace enxerto {

std::filesystem::path write_report(const std::filesystem::path& run) {
  const std::filesystem::path page = run / "report.html";
  write_file(page, make_page(load_run(run), english));
  return page;
}

std::string text_summary(const std::filesystem::path& run) { return summarize_run(load_run(run), english); }

}  // namespace enxerto
