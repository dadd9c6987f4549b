/// The pictures of a run, from predictions.jsonl: the largest losses, and how far the network's probabilities
/// can be trusted. Not installed.
#pragma once

#include <string>
#include <string_view>

#include "enxerto/report/run_record.h"
#include "enxerto/report/texts.h"

namespace enxerto {

/// Cards of the largest losses, of which data_of_pictures() has the pictures themselves. Empty where nothing
/// was recorded.
std::string worst_losses(const Predictions& predictions, std::string_view split,
                         const std::vector<std::string>& classes, const Texts& t);

/// Expected calibration error (Guo et al. 2017, ten bins of equal width), a reliability diagram, and errors
/// by the share that is answered (Geifman & El-Yaniv 2017). Empty where no probabilities were recorded.
std::string sureness(const Predictions& predictions, const Texts& t);

/// JSON for the page's script, once for all languages: {"val": [picture...], "test": [...]}, each picture
/// with label `t`, prediction `p`, loss `l`, file `f`, and where they are known probability `q` and a JPEG in
/// base64 `s`. No tag can begin in it.
std::string data_of_pictures(const RunRecord& run);

/// The figures of sureness().
struct Bin {
  std::int64_t n = 0, right = 0;
  double probability = 0;  ///< sum
};
struct Sureness {
  std::int64_t n = 0, right = 0;
  double probability = 0;             ///< mean
  double calibration_error = 0;       ///< expected, 0 to 1
  double area = 0, risk_of_half = 0;  ///< of the risk-coverage curve; among the surest half
  std::vector<Bin> bins;              ///< ten
  std::vector<double> risk;           ///< among the k + 1 surest
};
/// Of the pictures that have a probability. Of equally sure pictures the order is that of the file.
Sureness measure_sureness(const std::vector<PictureRecord>& pictures);

}  // namespace enxerto
