/// report.html: one page that holds its style, its script and its charts.
#pragma once

#include <string>
#include <vector>

#include "enxerto/report/run_record.h"
#include "enxerto/report/texts.h"

namespace enxerto {

/// In each of these languages (at least one): a button changes them, the reader's own is shown first. Without
/// scripts the first is.
std::string make_page(const RunRecord& run, const std::vector<Texts>& languages);

/// What goes around the body of a page: the body in each language, and `pictures`, data_of_pictures().
struct Body {
  const Texts& t;
  std::string title, html;  ///< the title as HTML
};
std::string frame_page(const std::vector<Body>& bodies, const std::string& pictures);

}  // namespace enxerto
