// SPDX-License-Identifier: Apache-2.0
#include "cc/lib/rows/table_shape.h"

namespace candsamp {
namespace {

std::string HintIfTransposed(const TableSizes& sizes) {
  if (sizes.rows < 0 || sizes.depth < 0 || sizes.depth == sizes.depth_of_inputs) return "";
  const bool rows_are_the_depth = sizes.rows == sizes.depth_of_inputs;
  const bool columns_are_the_classes =
      sizes.rows < sizes.num_classes && sizes.num_classes <= sizes.depth;
  if (!rows_are_the_depth && !columns_are_the_classes) return "";
  return "; weights has shape [" + std::to_string(sizes.rows) + "," + std::to_string(sizes.depth) +
         "]: transposed? It must be [num_classes, depth]; of a Dense layer's kernel pass "
         "tf.transpose(kernel)";
}

std::string CheckSize(const char* name, const char* of, int64_t size, int64_t num_classes) {
  if (size < 0 || size >= num_classes) return "";
  return std::string(name) + " must have at least num_classes = " + std::to_string(num_classes) +
         of + ", got " + std::to_string(size);
}

}  // namespace

std::string CheckDepth(const TableSizes& sizes, const std::string& shape_of_inputs) {
  if (sizes.depth < 0 || sizes.depth_of_inputs < 0 || sizes.depth == sizes.depth_of_inputs) {
    return "";
  }
  return "inputs must have the depth of weights, " + std::to_string(sizes.depth) + ", got shape " +
         shape_of_inputs + HintIfTransposed(sizes);
}

std::string CheckWeightRows(const TableSizes& sizes) {
  const std::string message = CheckSize("weights", " rows", sizes.rows, sizes.num_classes);
  return message.empty() ? "" : message + HintIfTransposed(sizes);
}

std::string CheckBiasValues(int64_t values, int64_t num_classes) {
  return CheckSize("biases", " values", values, num_classes);
}

}  // namespace candsamp
