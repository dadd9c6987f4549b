#include "enxerto/report/page.h"

#include "enxerto/core/text.h"
#include "enxerto/report/markup.h"
#include "enxerto/report/summary.h"

namespace enxerto {

std::string make_page(const RunRecord& run, const Texts& t) {
  const std::string title = escape(title_of(run, t), 200);
  return text("<!doctype html><html lang=", t.language, "><meta charset=utf-8><title>", title, "</title><h1>",
              title, "</h1><pre>", escape(summarize_run(run, t), 20000), "</pre>\n");
}

}  // namespace enxerto
