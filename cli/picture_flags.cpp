#include "cli/picture_flags.h"

namespace enxerto::cli {

void PictureFlags::apply(Preprocess& preprocess) const {
  if (!decode.empty()) preprocess.decode = parse_decode(decode);
  if (!filter.empty()) preprocess.filter = parse_filter(filter);
  if (!fit.empty()) preprocess.fit = parse_fit(fit);
}

void add_picture_flags(CLI::App& verb, PictureFlags& flags) {
  verb.add_option("--fit", flags.fit, "Pictures of another shape: crop (the middle), pad or squash")
      ->type_name("NAME");
  verb.add_option("--filter", flags.filter, "Of the resize: bilinear, bicubic or lanczos")->type_name("NAME");
  verb.add_option("--decode", flags.decode,
                  "exact, or fast: large JPEG files come reduced, with nearly the same pixels")
      ->type_name("NAME");
}

}  // namespace enxerto::cli
