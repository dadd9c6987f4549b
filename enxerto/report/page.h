/// report.html: one page that holds its style, its script and its charts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "enxerto/report/run_record.h"
#include "enxerto/report/texts.h"

namespace enxerto {

/// In each of these languages (at least one): a button changes them, the reader's own is shown first. Without
/// scripts the first is.
std::string make_page(const RunRecord& run, const std::vector<Texts>& languages);

/// "en", "pt", or "" for both. Error{usage} where there is no such language.
std::vector<Texts> languages_of(std::string_view language);

/// What goes around the body of a page: the body in each language, `pictures`, JSON in which the cards find
/// theirs (data_of_pictures()), and what a page has beside all others.
struct Body {
  const Texts& t;
  std::string title, html;  ///< the title as HTML
};
struct PageParts {
  std::string style, end;  ///< after the style and the scripts of every page
};
std::string frame_page(const std::vector<Body>& bodies, const std::string& pictures,
                       const PageParts& more = {});

}  // namespace enxerto
