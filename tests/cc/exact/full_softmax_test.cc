// SPDX-License-Identifier: Apache-2.0
// The full softmax and its gradient against their definition, and when the work is cut differently.
#include "cc/lib/exact/full_softmax.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "tests/cc/exact/exact_case.h"
#include "tests/cc/testing/numbers.h"
#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

template <typename W>
struct Results {
  using A = Accumulator<W>;

  Results(Runtime& runtime, const ExactCase<W>& c) : loss(c.shape.rows), max(loss), sum(loss) {
    const FullSoftmaxLabels labels = {c.labels.data(), c.shape.num_true};
    FullSoftmaxForward<W>(runtime, c.Scored(), labels, {loss.data(), max.data(), sum.data()});
    std::vector<A> grad(c.shape.rows);
    for (int64_t i = 0; i < c.shape.rows; ++i) grad[i] = Grad(i);
    inputs.resize(c.inputs.size());
    FullSoftmaxGradients<W> gradients = {inputs.data(), GradientTable<W>(Partition::kConsecutive),
                                         GradientTable<W>(Partition::kConsecutive)};
    // A shard more than the table has: the cut of gradients is their own.
    const int64_t first = c.shape.classes / 2, rest = c.shape.classes + 3 - first;
    weights.resize((c.shape.classes + 3) * c.shape.depth);
    biases.resize(c.shape.classes + 3);
    FillWithGarbage(weights);
    FillWithGarbage(biases);
    FillWithGarbage(inputs);
    gradients.weights.AddShard(weights.data(), first);
    gradients.weights.AddShard(weights.data() + first * c.shape.depth, rest);
    gradients.biases.AddShard(biases.data(), first);
    gradients.biases.AddShard(biases.data() + first, rest);
    FullSoftmaxBackward<W>(runtime, c.Scored(), labels, {grad.data(), max.data(), sum.data()},
                           gradients);
  }

  static A Grad(int64_t i) { return static_cast<A>((i % 7 - 3) / 4.0); }

  bool SameBits(const Results& other) const {
    return candsamp::SameBits(loss, other.loss) && candsamp::SameBits(inputs, other.inputs) &&
           candsamp::SameBits(weights, other.weights) && candsamp::SameBits(biases, other.biases);
  }

  std::vector<A> loss, max, sum, inputs;
  std::vector<W> weights, biases;
};

// Losses, and the gradient by the logits before temperature, norms and cap.
template <typename W>
void ExpectIsTheDefinition(const ExactCase<W>& c, const Results<W>& results) {
  const auto& [rows, classes, depth, num_true] = c.shape;
  const double cap = c.options.softcap;
  const double epsilon = std::numeric_limits<Accumulator<W>>::epsilon();
  const double rounding = 3e3 * epsilon + 2 * Rounding<W>();
  std::vector<double> by_weights(classes * depth), by_biases(classes), by_inputs(rows * depth);
  for (int64_t i = 0; i < rows; ++i) {
    std::vector<double> z(classes), slope(classes);
    for (int64_t id = 0; id < classes; ++id) {
      const double v = c.Logit(i, id);
      z[id] = cap > 0 ? cap * std::tanh(v / cap) : v;
      slope[id] = cap > 0 ? 1 - std::pow(std::tanh(v / cap), 2) : 1;
    }
    const double max = *std::max_element(z.begin(), z.end());
    double sum = 0, mean = 0;
    for (const double logit : z) sum += std::exp(logit - max);
    for (int64_t t = 0; t < num_true; ++t) mean += z[c.labels[i * num_true + t]] / num_true;
    ASSERT_NEAR(results.loss[i], max + std::log(sum) - mean, 50 * epsilon * (1 + std::abs(max)));
    const std::vector<double> x(c.inputs.begin() + i * depth, c.inputs.begin() + (i + 1) * depth);
    const double x_norm = c.options.normalize ? c.Norm(x) : 1;
    for (int64_t id = 0; id < classes; ++id) {
      double g = std::exp(z[id] - max) / sum;
      for (int64_t t = 0; t < num_true; ++t) {
        g -= (c.labels[i * num_true + t] == id) / static_cast<double>(num_true);
      }
      g *= slope[id] * Results<W>::Grad(i);
      by_biases[id] += g;
      g /= c.options.temperature;
      const std::vector<double> w = c.WideRow(id);
      const double w_norm = c.options.normalize ? c.Norm(w) : 1;
      double cosine = 0;
      for (int64_t d = 0; c.options.normalize && d < depth; ++d) {
        cosine += w[d] / w_norm * (x[d] / x_norm);
      }
      for (int64_t d = 0; d < depth; ++d) {
        by_weights[id * depth + d] += g / w_norm * (x[d] / x_norm - cosine * w[d] / w_norm);
        by_inputs[i * depth + d] += g / x_norm * (w[d] / w_norm - cosine * x[d] / x_norm);
      }
    }
  }
  const auto near = [&](double got, double expected) {
    return std::abs(got - expected) <= rounding * (1 + std::abs(expected));
  };
  for (int64_t k = 0; k < classes * depth; ++k) {
    ASSERT_TRUE(near(Widen(results.weights[k]), by_weights[k])) << "weights " << k;
  }
  for (int64_t k = 0; k < classes; ++k) {
    ASSERT_TRUE(near(Widen(results.biases[k]), by_biases[k])) << "bias " << k;
  }
  for (int64_t k = 0; k < rows * depth; ++k) {
    ASSERT_TRUE(near(results.inputs[k], by_inputs[k])) << "inputs " << k;
  }
  for (size_t k = classes * depth; k < results.weights.size(); ++k) {
    ASSERT_EQ(Widen(results.weights[k]), 0) << "padding";
  }
  for (size_t k = classes; k < results.biases.size(); ++k) ASSERT_EQ(Widen(results.biases[k]), 0);
}

template <typename W>
class FullSoftmaxTest : public testing::Test {};
using Types = testing::Types<float, double, Bfloat16, Half>;
TYPED_TEST_SUITE(FullSoftmaxTest, Types);

TYPED_TEST(FullSoftmaxTest, IsTheDefinition) {
  const ExactShape shapes[] = {
      {1, 1, 1, 1}, {7, 50, 5}, {130, 400, 19, 3}, {0, 20, 3}, {3, 200, 0}};
  for (const ExactShape& shape : shapes) {
    for (const LogitOptions& options : VariousOptions()) {
      for (const bool whole : {false, true}) {
        const ExactCase<TypeParam> c(shape, options, 1, whole);
        TestRuntime runtime = TestRuntime::RandomCuts(1);
        ExpectIsTheDefinition(c, Results<TypeParam>(runtime, c));
      }
    }
  }
}

TYPED_TEST(FullSoftmaxTest, BitsDoNotDependOnTheCutting) {
  for (const LogitOptions& options : VariousOptions()) {
    for (const ExactShape& shape : {ExactShape{530, 1700, 7}, {5, 13'000, 3}}) {
      const ExactCase<TypeParam> c(shape, options, 2);
      TestRuntime whole = TestRuntime::Whole();
      const Results<TypeParam> expected(whole, c);
      for (TestRuntime& runtime : TestRuntime::Various()) {
        EXPECT_TRUE(Results<TypeParam>(runtime, c).SameBits(expected)) << runtime.name();
      }
    }
  }
}

TYPED_TEST(FullSoftmaxTest, OutOfMemoryIsAnException) {
  const ExactCase<TypeParam> c({20, 300, 5}, {0.5, 2, true}, 3);
  TestRuntime counted = TestRuntime::Whole();
  const Results<TypeParam> expected(counted, c);
  for (int64_t left = 0; left < counted.allocations(); ++left) {
    TestRuntime runtime = TestRuntime::Whole();
    runtime.LimitAllocations(left);
    EXPECT_THROW(Results<TypeParam>(runtime, c), std::bad_alloc);
  }
}

}  // namespace
}  // namespace candsamp
