/// Dense linear algebra: products and decompositions, by OpenBLAS. The one place that knows it. Not
/// installed.
#pragma once

#include <cstdint>
#include <vector>

namespace enxerto::dense {

/// Borrowed numbers, row by row, `stride` from a row to the next. turned: it stands for its transpose, and
/// rows and columns are still those of the memory.
template <class T>
struct Matrix {
  T* data;
  std::int64_t rows, columns, stride;
  bool turned = false;

  Matrix(T* from, std::int64_t row_count, std::int64_t column_count)
      : data(from), rows(row_count), columns(column_count), stride(column_count) {}
  Matrix(T* from, std::int64_t row_count, std::int64_t column_count, std::int64_t row_stride)
      : data(from), rows(row_count), columns(column_count), stride(row_stride) {}
};
template <class T>
Matrix<T> turned(Matrix<T> of) {
  of.turned = !of.turned;
  return of;
}

/// to = a b + beta to. Sizes below 2^31.
void multiply(Matrix<const float> a, Matrix<const float> b, float beta, Matrix<float> to);
void multiply(Matrix<const double> a, Matrix<const double> b, double beta, Matrix<double> to);

/// to += a^T a (a a^T where a is turned); only the elements on and right of the diagonal.
void add_gram(Matrix<const double> a, Matrix<double> to);

/// Rows, no more than there are columns, become an orthonormal basis of what they span.
void orthonormalise_rows(Matrix<float> rows);

/// The singular value decomposition of rows = U S V^T, no more rows than columns: they become V^T. Returns S,
/// descending.
std::vector<float> singular_rows(Matrix<float> rows);

/// The eigenvalues of a symmetric n x n matrix, ascending; its rows become the eigenvectors. Reads the
/// elements on and right of the diagonal. Takes three times the matrix's memory.
std::vector<double> eigen_rows(Matrix<double> symmetric);

}  // namespace enxerto::dense
