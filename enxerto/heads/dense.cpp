#include "enxerto/heads/dense.h"

#include <cblas.h>
#include <omp.h>

#include <cmath>
#include <limits>

#include "enxerto/core/error.h"

// LAPACK, which OpenBLAS brings along: Fortran's, so everything goes by pointer, matrices lie column by
// column, and each text has its length at the end.
extern "C" {
void sgeqrf_(const int* m, const int* n, float* a, const int* lda, float* tau, float* work, const int* lwork,
             int* info);
void sorgqr_(const int* m, const int* n, const int* k, float* a, const int* lda, const float* tau,
             float* work, const int* lwork, int* info);
void sgesdd_(const char* jobz, const int* m, const int* n, float* a, const int* lda, float* s, float* u,
             const int* ldu, float* vt, const int* ldvt, float* work, const int* lwork, int* iwork, int* info,
             std::size_t);
void dsyevd_(const char* jobz, const char* uplo, const int* n, double* a, const int* lda, double* w,
             double* work, const int* lwork, int* iwork, const int* liwork, int* info, std::size_t,
             std::size_t);
}

namespace enxerto::dense {
namespace {

int size(std::int64_t value) {
  ensure(value >= 0 && value <= std::numeric_limits<int>::max(), "a matrix fits LAPACK's sizes");
  return static_cast<int>(value);
}

[[noreturn]] void fail() {
  throw Error(ErrorKind::diverged, "the features cannot be decomposed: are some of them enormous?");
}

void check(int info) {
  if (info != 0) fail();
}

/// LAPACK does not always come back from infinity and NaN.
template <class T>
void check_finite(const Matrix<T>& matrix) {
  for (std::int64_t i = 0; i < matrix.rows; ++i)
    for (std::int64_t j = 0; j < matrix.columns; ++j)
      if (!std::isfinite(matrix.data[i * matrix.stride + j])) fail();
}

/// While it lives: one thread for a decomposition so small that threads would wait for each other longer than
/// they work. How many there are is then the same for all of its steps.
class FewThreads {
 public:
  explicit FewThreads(std::int64_t operations) : before_(omp_get_max_threads()) {
    if (operations < (std::int64_t{1} << 28)) omp_set_num_threads(1);
  }
  ~FewThreads() { omp_set_num_threads(before_); }
  FewThreads(const FewThreads&) = delete;
  FewThreads& operator=(const FewThreads&) = delete;

 private:
  int before_;
};

template <class T>
CBLAS_TRANSPOSE turn_of(const Matrix<T>& of) {
  return of.turned ? CblasTrans : CblasNoTrans;
}

template <class T, class F>
void multiply_by(F gemm, const Matrix<const T>& a, const Matrix<const T>& b, T beta, const Matrix<T>& to) {
  const std::int64_t inner = a.turned ? a.rows : a.columns;
  ensure(!to.turned && (a.turned ? a.columns : a.rows) == to.rows &&
             (b.turned ? b.rows : b.columns) == to.columns && (b.turned ? b.columns : b.rows) == inner,
         "the sizes of a product fit");
  gemm(CblasRowMajor, turn_of(a), turn_of(b), size(to.rows), size(to.columns), size(inner), T{1}, a.data,
       size(a.stride), b.data, size(b.stride), beta, to.data, size(to.stride));
}

}  // namespace

void multiply(Matrix<const float> a, Matrix<const float> b, float beta, Matrix<float> to) {
  multiply_by<float>(cblas_sgemm, a, b, beta, to);
}

void multiply(Matrix<const double> a, Matrix<const double> b, double beta, Matrix<double> to) {
  multiply_by<double>(cblas_dgemm, a, b, beta, to);
}

void add_gram(Matrix<const double> a, Matrix<double> to) {
  const std::int64_t order = a.turned ? a.rows : a.columns, inner = a.turned ? a.columns : a.rows;
  ensure(to.rows == order && to.columns == order, "the sizes of a Gram matrix fit");
  cblas_dsyrk(CblasRowMajor, CblasUpper, a.turned ? CblasNoTrans : CblasTrans, size(order), size(inner), 1.0,
              a.data, size(a.stride), 1.0, to.data, size(to.stride));
}

void orthonormalise_rows(Matrix<float> rows) {
  ensure(rows.rows <= rows.columns && !rows.turned, "there are no more rows than columns");
  check_finite(rows);
  const FewThreads few(4 * rows.rows * rows.rows * rows.columns);
  // Rows of ours are columns of LAPACK's.
  const int m = size(rows.columns), n = size(rows.rows), lda = size(rows.stride);
  std::vector<float> tau(static_cast<std::size_t>(n)), work(1);
  int info = 0, length = -1;
  sgeqrf_(&m, &n, rows.data, &lda, tau.data(), work.data(), &length, &info);
  length = static_cast<int>(work[0]);
  work.resize(static_cast<std::size_t>(length));
  sgeqrf_(&m, &n, rows.data, &lda, tau.data(), work.data(), &length, &info);
  check(info);
  length = -1;
  sorgqr_(&m, &n, &n, rows.data, &lda, tau.data(), work.data(), &length, &info);
  length = static_cast<int>(work[0]);
  work.resize(static_cast<std::size_t>(length));
  sorgqr_(&m, &n, &n, rows.data, &lda, tau.data(), work.data(), &length, &info);
  check(info);
}

std::vector<float> singular_rows(Matrix<float> rows) {
  ensure(rows.rows <= rows.columns && !rows.turned, "there are no more rows than columns");
  check_finite(rows);
  const FewThreads few(4 * rows.rows * rows.rows * rows.columns);
  const int m = size(rows.columns), n = size(rows.rows), lda = size(rows.stride);
  std::vector<float> values(static_cast<std::size_t>(n)),
      other(static_cast<std::size_t>(rows.rows * rows.rows)), work(1);
  std::vector<int> places(8 * static_cast<std::size_t>(n));
  int info = 0, length = -1;
  // 'O': the left vectors, LAPACK's, come in the place of the matrix.
  const auto run = [&] {
    sgesdd_("O", &m, &n, rows.data, &lda, values.data(), nullptr, &m, other.data(), &n, work.data(), &length,
            places.data(), &info, 1);
    check(info);
  };
  run();
  length = static_cast<int>(work[0]);
  work.resize(static_cast<std::size_t>(length));
  run();
  return values;
}

std::vector<double> eigen_rows(Matrix<double> symmetric) {
  ensure(symmetric.rows == symmetric.columns && !symmetric.turned, "the matrix is square");
  check_finite(symmetric);
  const FewThreads few(8 * symmetric.rows * symmetric.rows * symmetric.rows);
  const int n = size(symmetric.rows), lda = size(symmetric.stride);
  std::vector<double> values(static_cast<std::size_t>(n)), work(1);
  std::vector<int> places(1);
  int info = 0, length = -1, places_length = -1;
  const auto run = [&] {
    // Right of the diagonal row by row is left of it column by column.
    dsyevd_("V", "L", &n, symmetric.data, &lda, values.data(), work.data(), &length, places.data(),
            &places_length, &info, 1, 1);
    check(info);
  };
  run();
  length = static_cast<int>(work[0]);
  places_length = places[0];
  work.resize(static_cast<std::size_t>(length));
  places.resize(static_cast<std::size_t>(places_length));
  run();
  return values;
}

}  // namespace enxerto::dense
