// Checks of ragged arguments.
#include "cc/lib/ragged_batch.h"

#include <algorithm>

namespace candsamp {

std::string CheckRowSplits(const std::string& name, const int64_t* splits, int64_t count,
                           int64_t num_values) {
  if (count < 1) return name + ": row splits must hold at least one value, got none";
  if (splits[0] != 0) {
    return name + ": row splits must start at 0, got " + std::to_string(splits[0]);
  }
  for (int64_t i = 1; i < count; ++i) {
    if (splits[i] < splits[i - 1]) {
      return name + ": row splits must not decrease, got " + std::to_string(splits[i - 1]) +
             " then " + std::to_string(splits[i]) + " at position " + std::to_string(i);
    }
  }
  if (splits[count - 1] != num_values) {
    return name + ": row splits must end at the number of values, " + std::to_string(num_values) +
           ", got " + std::to_string(splits[count - 1]);
  }
  return "";
}

std::string CheckSameRowSplits(const std::string& name, const int64_t* splits, int64_t count,
                               const std::string& expected_name, const int64_t* expected,
                               int64_t expected_count) {
  if (count != expected_count) {
    return name + " must have as many rows as " + expected_name + ", " +
           std::to_string(expected_count - 1) + ", got " + std::to_string(count - 1);
  }
  const int64_t at = std::mismatch(splits, splits + count, expected).first - splits;
  if (at == count) return "";
  return name + " must have the row splits of " + expected_name + ", expected " +
         std::to_string(expected[at]) + " at position " + std::to_string(at) + ", got " +
         std::to_string(splits[at]);
}

std::string CheckClassIds(const std::string& name, const RaggedIds& ids, int64_t rows,
                          int64_t num_classes) {
  const int64_t count = ids.splits[rows];
  const uint64_t limit = static_cast<uint64_t>(num_classes);
  bool valid = true;
  for (int64_t k = 0; k < count; ++k) valid &= static_cast<uint64_t>(ids.values[k]) < limit;
  if (valid) return "";
  const int64_t* bad = std::find_if(ids.values, ids.values + count, [limit](int64_t id) {
    return static_cast<uint64_t>(id) >= limit;
  });
  const int64_t position = bad - ids.values;
  const int64_t row =
      std::upper_bound(ids.splits, ids.splits + rows + 1, position) - ids.splits - 1;
  return name + " must hold class ids in [0, " + std::to_string(num_classes) +
         "), the rows of weights, got " + std::to_string(*bad) + " in row " + std::to_string(row);
}

std::string CheckNoEmptyRow(const std::string& name, const RaggedIds& ids, int64_t rows) {
  for (int64_t i = 0; i < rows; ++i) {
    if (ids.size(i) == 0) {
      return name + " must hold at least one class in every row, got none in row " +
             std::to_string(i);
    }
  }
  return "";
}

}  // namespace candsamp
