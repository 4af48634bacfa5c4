// SPDX-License-Identifier: Apache-2.0
// Checks of the shapes of class tables, for shape functions and for op kernels.
#ifndef TF_CANDSAMP_CC_LIB_ROWS_TABLE_SHAPE_H_
#define TF_CANDSAMP_CC_LIB_ROWS_TABLE_SHAPE_H_

#include <cstdint>
#include <string>

namespace candsamp {

// A size that is not known or not given.
constexpr int64_t kUnknownSize = -1;

// The sizes that have to agree. `weights` is a matrix [rows, depth], all its shards together.
struct TableSizes {
  int64_t rows = kUnknownSize;
  int64_t depth = kUnknownSize;
  int64_t depth_of_inputs = kUnknownSize;
  int64_t num_classes = kUnknownSize;
};

// Each check returns an empty string, or a sentence that names the argument, what was got and what
// was expected. It also says if the weights look transposed, as a dense layer's kernel is. An
// unknown size agrees with any other.

// `inputs` must have the depth of weights. The message quotes their shape.
std::string CheckDepth(const TableSizes& sizes, const std::string& shape_of_inputs);

// `weights` must have a row for each class.
std::string CheckWeightRows(const TableSizes& sizes);

// `biases` must have a value for each class.
std::string CheckBiasValues(int64_t values, int64_t num_classes);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_ROWS_TABLE_SHAPE_H_
