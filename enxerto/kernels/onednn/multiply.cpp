#include "enxerto/core/error.h"
#include "enxerto/core/text.h"
#include "enxerto/kernels/onednn/api.h"
#include "enxerto/kernels/onednn/onednn.h"

namespace enxerto::onednn {

void multiply_transposed(const float* a, const float* b, float* out, const Product& sizes, bool add) {
  const dnnl::status done =
      dnnl::sgemm('N', 'T', sizes.rows, sizes.columns, sizes.depth, 1.0f, a, sizes.depth, b, sizes.depth,
                  add ? 1.0f : 0.0f, out, sizes.out_stride);
  if (done != dnnl::status::success)
    throw Error(ErrorKind::unsupported, text("oneDNN does not multiply matrices of ", sizes.rows, "x",
                                             sizes.depth, " and ", sizes.columns, "x", sizes.depth));
}

}  // namespace enxerto::onednn
