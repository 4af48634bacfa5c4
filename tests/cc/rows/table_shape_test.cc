// SPDX-License-Identifier: Apache-2.0
// Checks of the sizes of class tables: what is accepted, and the message for each violation.
#include "cc/lib/rows/table_shape.h"

#include <gtest/gtest.h>

#include <string>

namespace candsamp {
namespace {

// In this order: rows, depth, depth of inputs, classes.
TEST(TableShapeTest, AcceptsTablesWithARowForEachClass) {
  for (const TableSizes& sizes :
       {TableSizes{50, 8, 8, 50}, TableSizes{64, 8, 8, 50}, TableSizes{8, 8, 8, 8},
        TableSizes{50, 8, 8, kUnknownSize}, TableSizes{}, TableSizes{kUnknownSize, 8, 8, 50},
        TableSizes{50, kUnknownSize, 8, 50}, TableSizes{50, 8, kUnknownSize, 50}}) {
    EXPECT_EQ(CheckDepth(sizes, "[3,8]"), "");
    EXPECT_EQ(CheckWeightRows(sizes), "");
  }
  EXPECT_EQ(CheckBiasValues(50, 50), "");
  EXPECT_EQ(CheckBiasValues(64, 50), "");
  EXPECT_EQ(CheckBiasValues(64, kUnknownSize), "");
  EXPECT_EQ(CheckBiasValues(kUnknownSize, 50), "");
}

TEST(TableShapeTest, NamesEachViolation) {
  EXPECT_EQ(CheckDepth({50, 8, 9, 50}, "[3,9]"),
            "inputs must have the depth of weights, 8, got shape [3,9]");
  EXPECT_EQ(CheckDepth({kUnknownSize, 8, 9, 50}, "[3,9]"),
            "inputs must have the depth of weights, 8, got shape [3,9]");
  EXPECT_EQ(CheckWeightRows({49, 8, 8, 50}),
            "weights must have at least num_classes = 50 rows, got 49");
  EXPECT_EQ(CheckBiasValues(0, 50), "biases must have at least num_classes = 50 values, got 0");
}

TEST(TableShapeTest, SaysThatWeightsLookTransposed) {
  const std::string hint =
      "; weights has shape [8,50]: transposed? It must be [num_classes, depth]; of a Dense layer's "
      "kernel pass tf.transpose(kernel)";
  // An unknown number of classes, as many as rows, and more.
  for (const int64_t num_classes : {kUnknownSize, int64_t{8}, int64_t{50}}) {
    EXPECT_EQ(CheckDepth({8, 50, 8, num_classes}, "[3,8]"),
              "inputs must have the depth of weights, 50, got shape [3,8]" + hint);
  }
  // Only the number of classes tells.
  EXPECT_EQ(CheckDepth({8, 50, 9, 40}, "[3,9]"),
            "inputs must have the depth of weights, 50, got shape [3,9]" + hint);
  EXPECT_EQ(CheckWeightRows({8, 50, kUnknownSize, 50}),
            "weights must have at least num_classes = 50 rows, got 8" + hint);
}

TEST(TableShapeTest, DoesNotSaySoOfWeightsAsDeepAsInputs) {
  EXPECT_EQ(CheckWeightRows({8, 50, 50, 50}),
            "weights must have at least num_classes = 50 rows, got 8");
}

}  // namespace
}  // namespace candsamp
