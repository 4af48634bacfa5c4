// Checks of the shapes of class tables, for graphs and for kernels.
#ifndef TF_CANDSAMP_CC_LIB_ROWS_TABLE_SHAPE_H_
#define TF_CANDSAMP_CC_LIB_ROWS_TABLE_SHAPE_H_

#include <cstdint>
#include <string>

namespace candsamp {

// A size that is not known, or not given.
constexpr int64_t kUnknownSize = -1;

// The sizes that have to agree. `weights` is a matrix of `rows` rows, all its shards together.
struct TableSizes {
  int64_t rows = kUnknownSize;
  int64_t depth = kUnknownSize;
  int64_t depth_of_inputs = kUnknownSize;
  int64_t num_classes = kUnknownSize;
};

// Each check returns an empty string, or a sentence that names the argument, what was got, what was
// expected, and that weights look transposed where they do: a dense layer's are. Sizes that are not
// known agree with any other.

// `inputs`, whose shape is given for the message, must be as deep as the rows of weights.
std::string CheckDepth(const TableSizes& sizes, const std::string& shape_of_inputs);

// Weights must have a row for each class.
std::string CheckWeightRows(const TableSizes& sizes);

// `biases` must have a value for each class.
std::string CheckBiasValues(int64_t values, int64_t num_classes);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_ROWS_TABLE_SHAPE_H_
