// SPDX-License-Identifier: Apache-2.0
// Checks of ragged arguments: what is accepted, and the message for each violation.
#include "cc/lib/classes/ragged_ids.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace candsamp {
namespace {

using Ids = std::vector<int64_t>;

std::string RowSplits(const Ids& splits, int64_t num_values) {
  return CheckRowSplits("labels", splits.data(), splits.size(), num_values);
}

TEST(CheckRowSplitsTest, AcceptsWhatCoversTheValues) {
  EXPECT_EQ(RowSplits({0}, 0), "");
  EXPECT_EQ(RowSplits({0, 0}, 0), "");
  EXPECT_EQ(RowSplits({0, 2, 2, 5}, 5), "");
}

TEST(CheckRowSplitsTest, NamesEachViolation) {
  EXPECT_EQ(RowSplits({}, 0), "labels: row splits must hold at least one value, got none");
  EXPECT_EQ(RowSplits({1, 2}, 2), "labels: row splits must start at 0, got 1");
  EXPECT_EQ(RowSplits({-1, 2}, 2), "labels: row splits must start at 0, got -1");
  EXPECT_EQ(RowSplits({0, 3, 2, 5}, 5),
            "labels: row splits must not decrease, got 3 then 2 at position 2");
  EXPECT_EQ(
      RowSplits({0, std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min()}, 5),
      "labels: row splits must not decrease, got 9223372036854775807 then "
      "-9223372036854775808 at position 2");
  EXPECT_EQ(RowSplits({0, 2, 4}, 5),
            "labels: row splits must end at the number of values, 5, got 4");
  EXPECT_EQ(RowSplits({0, 2, 6}, 5),
            "labels: row splits must end at the number of values, 5, got 6");
  EXPECT_EQ(RowSplits({0}, 1), "labels: row splits must end at the number of values, 1, got 0");
}

std::string SameRowSplits(const Ids& splits, const Ids& expected) {
  return CheckSameRowSplits("candidate_log_q", splits.data(), splits.size(), "candidates",
                            expected.data(), expected.size());
}

TEST(CheckSameRowSplitsTest, NamesTheFirstDifference) {
  EXPECT_EQ(SameRowSplits({0, 1, 3}, {0, 1, 3}), "");
  EXPECT_EQ(SameRowSplits({0, 3}, {0, 1, 3}),
            "candidate_log_q must have as many rows as candidates, 2, got 1");
  EXPECT_EQ(SameRowSplits({0, 1, 3, 3}, {0, 1, 3}),
            "candidate_log_q must have as many rows as candidates, 2, got 3");
  EXPECT_EQ(SameRowSplits({0, 2, 3, 4}, {0, 1, 3, 4}),
            "candidate_log_q must have the row splits of candidates, expected 1 at position 1, "
            "got 2");
  EXPECT_EQ(SameRowSplits({0, 1, 3}, {0, 1, 4}),
            "candidate_log_q must have the row splits of candidates, expected 4 at position 2, "
            "got 3");
}

std::string ClassIds(const Ids& values, const Ids& splits, int64_t num_classes) {
  return CheckClassIds("candidates", {values.data(), splits.data()}, splits.size() - 1,
                       num_classes);
}

TEST(RaggedClassIdsTest, AcceptsIdsOfTheTable) {
  EXPECT_EQ(ClassIds({0, 9, 5}, {0, 1, 3}, 10), "");
  EXPECT_EQ(ClassIds({}, {0, 0}, 10), "");
  EXPECT_EQ(ClassIds({}, {0}, 0), "");
}

TEST(RaggedClassIdsTest, NamesTheFirstBadIdAndItsRow) {
  EXPECT_EQ(ClassIds({0, 10, 11}, {0, 1, 3}, 10),
            "candidates must hold class ids in [0, 10), the rows of weights, got 10 in row 1");
  EXPECT_EQ(
      ClassIds({-1, 2}, {0, 1, 2}, 10),
      "candidates must hold class ids in [0, 10), the rows of weights, got -1 in row 0: for a "
      "dense batch padded with -1 pass tf.RaggedTensor.from_tensor(candidates, padding=-1)");
  EXPECT_EQ(ClassIds({0}, {0, 0, 0, 1, 1}, 0),
            "candidates must hold class ids in [0, 0), the rows of weights, got 0 in row 2");
  EXPECT_EQ(ClassIds({1, std::numeric_limits<int64_t>::min()}, {0, 2}, 10),
            "candidates must hold class ids in [0, 10), the rows of weights, got "
            "-9223372036854775808 in row 0");
  EXPECT_EQ(ClassIds({1, std::numeric_limits<int64_t>::max()}, {0, 1, 1, 2}, 10),
            "candidates must hold class ids in [0, 10), the rows of weights, got "
            "9223372036854775807 in row 2");
}

using LogQ = std::vector<float>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// The classes 10 to 14, in a row of three, an empty row and a row of two.
const Ids kClasses = {10, 11, 12, 13, 14}, kSplits = {0, 3, 3, 5};

std::string LabelLogQ(const LogQ& log_q) {
  return CheckLabelLogQ(log_q.data(), {kClasses.data(), kSplits.data()}, 3);
}

std::string CandidateLogQ(const LogQ& log_q) {
  return CheckCandidateLogQ(log_q.data(), {kClasses.data(), kSplits.data()}, 3);
}

TEST(CheckLogQTest, AcceptsWhatIsFiniteOrAbsent) {
  const LogQ finite = {0, -103.5f, 3e38f, -3e38f, 1e-38f};
  EXPECT_EQ(LabelLogQ(finite), "");
  EXPECT_EQ(CandidateLogQ(finite), "");
  EXPECT_EQ(CheckLabelLogQ(nullptr, {kClasses.data(), kSplits.data()}, 3), "");
  EXPECT_EQ(CheckCandidateLogQ(nullptr, {kClasses.data(), kSplits.data()}, 3), "");
}

TEST(CheckLogQTest, NamesTheFirstViolationAndWhatToDo) {
  EXPECT_EQ(
      LabelLogQ({0, 0, 0, -kInfinity, kNan}),
      "label_log_q must be finite, got -inf for class 13 in row 2, which the sampler can never "
      "draw (one of num_reserved_ids, or of weight 0): give the class a positive weight, or "
      "leave its rows out of the batch");
  EXPECT_EQ(LabelLogQ({0, 0, kInfinity, 0, 0}),
            "label_log_q must be finite, got inf for class 12 in row 0");
  EXPECT_EQ(LabelLogQ({-kNan, 0, 0, 0, 0}),
            "label_log_q must be finite, got nan for class 10 in row 0");
  EXPECT_EQ(CandidateLogQ({0, 0, 0, 0, -kInfinity}),
            "candidate_log_q must be finite, got -inf for class 14 in row 2, which no sampler can "
            "have drawn: candidates that are not drawn need no log q");
  EXPECT_EQ(CandidateLogQ({0, kInfinity, 0, 0, 0}),
            "candidate_log_q must be finite, got inf for class 11 in row 0: to mask a class leave "
            "it out of candidates, or set its bias to -inf");
  EXPECT_EQ(CandidateLogQ({0, 0, kNan, 0, 0}),
            "candidate_log_q must be finite, got nan for class 12 in row 0");
}

TEST(CheckNoEmptyRowTest, NamesTheFirstEmptyRow) {
  const Ids values = {1, 2, 3};
  const auto check = [&](const Ids& splits) {
    return CheckNoEmptyRow("labels", {values.data(), splits.data()}, splits.size() - 1);
  };
  EXPECT_EQ(check({0}), "");
  EXPECT_EQ(check({0, 1, 3}), "");
  EXPECT_EQ(check({0, 1, 1, 3, 3}),
            "labels must hold at least one class in every row, got none in row 1");
  EXPECT_EQ(check({0, 3, 3}),
            "labels must hold at least one class in every row, got none in row 1");
}

}  // namespace
}  // namespace candsamp
