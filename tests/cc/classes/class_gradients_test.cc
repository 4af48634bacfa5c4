// SPDX-License-Identifier: Apache-2.0
// The gradients of classes against exact sums over all occurrences.
#include "cc/lib/classes/class_gradients.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "cc/lib/rows/segments.h"
#include "tests/cc/testing/numbers.h"
#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

// Occurrences as entries of ClassGroups. Numbers are small integers, so sums are exact in any
// order.
template <typename A>
struct Occurrences {
  Occurrences(int64_t count, int64_t num_classes, int64_t num_rows, uint32_t seed) {
    std::mt19937 random(seed);
    for (int64_t k = 0; k < count; ++k) {
      ids.push_back(static_cast<int64_t>(random() % num_classes));
      gradients.push_back(static_cast<A>(static_cast<int>(random() % 3) - 1));
      rows.push_back(static_cast<int64_t>(random() % num_rows));
    }
  }

  int64_t Id(int64_t position) const { return ids[position]; }
  template <typename Emit>
  void ForEach(int64_t begin, int64_t end, Emit emit) const {
    for (int64_t k = begin; k < end; ++k) {
      emit(ids[k], Occurrence<A>{0, gradients[k], rows[k]});
    }
  }

  std::vector<int64_t> ids;
  std::vector<A> gradients;
  std::vector<int64_t> rows;
};

template <typename W>
class ClassGradientsTest : public testing::Test {
 protected:
  using A = Accumulator<W>;

  // The gradients of the groups [first, last), in vectors of exactly their size.
  struct Sums {
    Sums(Runtime& runtime, const ClassGroups<Occurrence<A>>& groups, int64_t first, int64_t last,
         const std::vector<A>& inputs, int64_t depth)
        : rows((last - first) * depth), biases(last - first) {
      FillWithGarbage(rows);
      FillWithGarbage(biases);
      SumClassRows(runtime, groups, first, last, inputs.data(), depth, rows.data());
      SumClassBiases(runtime, groups, first, last, biases.data());
    }
    std::vector<W> rows, biases;
  };

  static std::vector<A> Inputs(int64_t rows, int64_t depth) {
    std::vector<A> inputs(rows * depth);
    for (size_t k = 0; k < inputs.size(); ++k) inputs[k] = static_cast<A>(k % 5) - 2;
    return inputs;
  }

  static W Narrowed(A value) {
    W narrow;
    Narrow(value, &narrow);
    return narrow;
  }
};
using Types = testing::Types<float, double, Bfloat16, Half>;
TYPED_TEST_SUITE(ClassGradientsTest, Types);

TYPED_TEST(ClassGradientsTest, SumOverAllOccurrences) {
  using A = Accumulator<TypeParam>;
  constexpr int64_t kRows = 50, kDepth = 19;
  const std::vector<A> inputs = this->Inputs(kRows, kDepth);
  for (const int64_t count : {int64_t{0}, int64_t{1}, int64_t{100}, 6 * kSegmentLength + 1}) {
    for (const int64_t num_classes : {1, 3, 1000}) {
      const Occurrences<A> occurrences(count, num_classes, kRows, 1);
      std::map<int64_t, std::vector<A>> rows;
      std::map<int64_t, A> biases;
      for (int64_t k = 0; k < count; ++k) {
        std::vector<A>& row = rows[occurrences.ids[k]];
        row.resize(kDepth);
        for (int64_t d = 0; d < kDepth; ++d) {
          row[d] += occurrences.gradients[k] * inputs[occurrences.rows[k] * kDepth + d];
        }
        biases[occurrences.ids[k]] += occurrences.gradients[k];
      }
      for (TestRuntime& runtime : TestRuntime::Various()) {
        SCOPED_TRACE(testing::Message()
                     << count << " of " << num_classes << ", " << runtime.name());
        const ClassGroups<Occurrence<A>> groups(runtime, count, num_classes, occurrences);
        ASSERT_EQ(groups.size(), static_cast<int64_t>(rows.size()));
        const typename TestFixture::Sums sums(runtime, groups, 0, groups.size(), inputs, kDepth);
        for (int64_t g = 0; g < groups.size(); ++g) {
          const int64_t id = groups.classes()[g];
          ASSERT_TRUE(SameBits(sums.biases[g], this->Narrowed(biases.at(id)))) << id;
          for (int64_t d = 0; d < kDepth; ++d) {
            ASSERT_EQ(Widen(sums.rows[g * kDepth + d]), Widen(this->Narrowed(rows.at(id)[d])))
                << id << ", " << d;
          }
        }
      }
    }
  }
}

// As the shards of a table cut them.
TYPED_TEST(ClassGradientsTest, SumsOfPiecesAreThoseOfTheWhole) {
  using A = Accumulator<TypeParam>;
  constexpr int64_t kRows = 50, kDepth = 7;
  const std::vector<A> inputs = this->Inputs(kRows, kDepth);
  // Long groups and short ones.
  Occurrences<A> occurrences(5000, 100, kRows, 2);
  std::fill_n(occurrences.ids.begin(), 3 * kSegmentLength, 40);
  TestRuntime runtime = TestRuntime::Whole();
  const ClassGroups<Occurrence<A>> groups(runtime, 5000, 100, occurrences);
  const typename TestFixture::Sums whole(runtime, groups, 0, groups.size(), inputs, kDepth);
  std::vector<TypeParam> rows, biases;
  int64_t first = 0;
  for (const int64_t last : {int64_t{0}, int64_t{1}, int64_t{40}, int64_t{41}, groups.size()}) {
    const typename TestFixture::Sums piece(runtime, groups, first, last, inputs, kDepth);
    rows.insert(rows.end(), piece.rows.begin(), piece.rows.end());
    biases.insert(biases.end(), piece.biases.begin(), piece.biases.end());
    first = last;
  }
  EXPECT_TRUE(SameBits(rows, whole.rows));
  EXPECT_TRUE(SameBits(biases, whole.biases));
}

}  // namespace
}  // namespace candsamp
