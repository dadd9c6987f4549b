/// Several runs on one page: their figures side by side, their curves in one chart. Not installed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "enxerto/report/run_record.h"
#include "enxerto/report/texts.h"

namespace enxerto {

/// The most runs of one page: as many as there are colours that can be told apart.
inline constexpr std::size_t most_runs = 8;

/// 2 to most_runs of them. As make_page().
std::string make_comparison(const std::vector<RunRecord>& runs, const std::vector<Texts>& languages);

/// The exact McNemar test, two-sided: how likely counts as different as these are where either is as likely
/// to be the one that is right (McNemar 1947; the binomial distribution). 1 where both are 0.
double paired_p(std::int64_t first_alone, std::int64_t second_alone);

}  // namespace enxerto
