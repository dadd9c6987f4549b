/// A run folder (docs/formats/run-folder.md) as people read it: a page and a text.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace enxerto {

/// `language` is "en", "pt", or "" for both: a page has a button then, and begins with the reader's own.

/// Writes `run`/report.html, one file that needs nothing else, and returns its path. The run may be
/// finished, interrupted or still going on: the page says which. Throws Error naming the file:
/// not_found without config.json, corrupt where config.json or result.json is damaged, unsupported
/// where a file is absurdly large or of a newer format, io where the page cannot be written.
std::filesystem::path write_report(const std::filesystem::path& run, std::string_view language = "");

/// The most runs of one page: as many as there are colours that can be told apart.
inline constexpr std::size_t most_runs = 8;
/// Writes `page`, of 2 to most_runs side by side. Throws as write_report() does; usage where there are more
/// or fewer.
void write_comparison(const std::vector<std::filesystem::path>& runs, const std::filesystem::path& page,
                      std::string_view language = "");

/// The same in a few lines for a terminal, the last one ended too. Control characters in names are
/// replaced. In English for "". Throws as write_report() does.
std::string text_summary(const std::filesystem::path& run, std::string_view language = "");

}  // namespace enxerto
