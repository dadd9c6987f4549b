/// A run folder (docs/formats/run-folder.md) as people read it: a page and a text.
#pragma once

#include <filesystem>
#include <string>

namespace enxerto {

/// Writes `run`/report.html, one file that needs nothing else, and returns its path. The run may be
/// finished, interrupted or still going on: the page says which. Throws Error naming the file:
/// not_found without config.json, corrupt where config.json or result.json is damaged, unsupported
/// where a file is absurdly large or of a newer format, io where the page cannot be written.
std::filesystem::path write_report(const std::filesystem::path& run);

/// The same in a few lines for a terminal, the last one ended too. Control characters in names are
/// replaced. Throws as write_report() does.
std::string text_summary(const std::filesystem::path& run);

}  // namespace enxerto
