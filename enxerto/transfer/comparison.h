/// Which of several recipes is better, and whether that is more than chance: all of them are judged by the
/// same pictures, some with several seeds.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "enxerto/train/metrics.h"

namespace enxerto {

/// The 97.5 % point of the normal distribution.
inline constexpr double normal_975 = 1.959963984540054;

/// A recipe's answers: for each seed, for each test picture, whether it was right (1) or not (0). At least
/// one seed, each of as many pictures.
using RightAnswers = std::vector<std::vector<std::uint8_t>>;

/// The 97.5 % point of Student's t with so many degrees of freedom (not whole ones alone; above 0): 12.706 of
/// 1, 1.960 of many.
double student_t(double degrees);

/// How accurate one recipe is.
struct Accuracy {
  std::vector<double> seeds;  ///< of each seed
  double mean = 0;
  /// 95 %, for other test pictures and other seeds: Wilson's of as many pictures as would scatter as much as
  /// the mean over seeds does. Of one seed just Wilson's.
  Interval interval;
  double seed_deviation = 0;  ///< standard deviation over seeds; 0 of one
};
Accuracy accuracy_of(const RightAnswers& answers);

enum class Verdict {
  first_better,
  second_better,
  seeds_matter,  ///< the pictures tell them apart, but other seeds might turn it round
  not_shown      ///< chance would do
};

/// One recipe beside another.
struct Contrast {
  std::size_t first = 0, second = 0;  ///< places of the recipes
  double difference = 0;              ///< first's mean accuracy minus second's
  /// 95 %, for other test pictures and other seeds. The pictures' part is Bonett & Price's (2012), the
  /// adjusted Wald interval of paired proportions, which adds a picture that only the first got right and one
  /// that only the second did; the seeds' variance joins it, and with it Student's t by Welch &
  /// Satterthwaite.
  Interval interval;
  double only_first = 0, only_second = 0;  ///< share of pictures that only one got right, mean over seeds
  /// McNemar's p; of several seeds that answered differently twice the median of theirs, which holds however
  /// they depend on each other (Meinshausen, Meier & Bühlmann 2009, with gamma 1/2). At most 1.
  double p = 1;
  double p_adjusted = 1;  ///< by Holm (1979), for all the pairs that were looked at
  Verdict verdict = Verdict::not_shown;
  /// Test pictures with which such a difference would be found four times of five (Connor 1987) at the p that
  /// the verdict asks for; empty where there is none, or where other seeds hide it from any number of them.
  std::optional<std::int64_t> enough = {};
};
/// Of every pair, in the order of the recipes. All were asked about the same pictures.
std::vector<Contrast> contrasts_of(std::span<const RightAnswers> recipes);

/// Test pictures that make the 95 % interval of an accuracy near `p` no wider than `half` to each side
/// (normal approximation).
std::int64_t pictures_for(double p, double half);

}  // namespace enxerto
