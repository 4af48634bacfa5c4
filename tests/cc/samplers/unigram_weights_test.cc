// SPDX-License-Identifier: Apache-2.0
// Weights of a fixed-unigram distribution: vocabulary files, shards, checks.
#include "cc/lib/samplers/unigram_weights.h"

#include <gtest/gtest.h>

#include <clocale>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace candsamp {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> Parsed(const std::string& text) {
  std::vector<float> weights = {-1};  // is cleared
  EXPECT_EQ(ParseVocabulary(text, &weights), "") << text;
  return weights;
}

std::string Problem(const std::string& text) {
  std::vector<float> weights;
  return ParseVocabulary(text, &weights);
}

using Weights = std::vector<float>;

TEST(ParseVocabularyTest, OneWeightALine) {
  EXPECT_EQ(Parsed("1\n2.5\n0\n"), (Weights{1, 2.5, 0}));
  EXPECT_EQ(Parsed("1e3\n.5\n5.\n+7\n2E-3\n"), (Weights{1000, 0.5, 5, 7, 0.002f}));
  EXPECT_EQ(Parsed("16777217"), (Weights{16777216}));
}

// TensorFlow reads all of these too.
TEST(ParseVocabularyTest, WeightsMayBeHexadecimal) {
  EXPECT_EQ(Parsed("0x10\n0x1.8p3\n"), (Weights{16, 12}));
}

// A process may set any locale. TensorFlow reads the same weights in all of them.
TEST(ParseVocabularyTest, DoesNotDependOnTheLocale) {
  bool is_set = false;
  for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8", "pt_BR.UTF-8"}) {
    is_set = is_set || std::setlocale(LC_ALL, name) != nullptr;
  }
  if (!is_set) GTEST_SKIP() << "no locale with a decimal comma is installed";
  std::vector<float> weights;
  const std::string problem = ParseVocabulary("2.5\nword,0.5\n", &weights);
  std::setlocale(LC_ALL, "C");
  EXPECT_EQ(problem, "");
  EXPECT_EQ(weights, (Weights{2.5, 0.5}));
}

TEST(ParseVocabularyTest, TheLastLineNeedsNoNewline) {
  EXPECT_EQ(Parsed("1\n2"), (Weights{1, 2}));
  EXPECT_EQ(Parsed("1"), (Weights{1}));
}

TEST(ParseVocabularyTest, TheWeightFollowsTheLastComma) {
  EXPECT_EQ(Parsed("the,10\na word,5\n\"a,b\",2\n,3\n"), (Weights{10, 5, 2, 3}));
  EXPECT_EQ(Parsed("1,2,3"), (Weights{3}));
}

TEST(ParseVocabularyTest, SpacesAndCarriageReturnsDoNotMatter) {
  EXPECT_EQ(Parsed("1\r\n2\r\n"), (Weights{1, 2}));
  EXPECT_EQ(Parsed("  1  \n\t2\t\nword , 3 \r\n"), (Weights{1, 2, 3}));
}

TEST(ParseVocabularyTest, BlankLinesAreSkipped) {
  EXPECT_EQ(Parsed("\n1\n\n\n2\n   \n\r\n\t\n3\n\n"), (Weights{1, 2, 3}));
}

void ExpectProblemOfLine(const std::string& text, int line) {
  const std::string problem = Problem(text);
  EXPECT_EQ(problem.rfind("line " + std::to_string(line) + " ", 0), 0u)
      << text << ": '" << problem << "'";
}

// Blank lines are skipped, but error messages count them.
TEST(ParseVocabularyTest, ProblemsNameTheirLine) {
  ExpectProblemOfLine("word", 1);
  ExpectProblemOfLine("1\n2\nword\n4\n", 3);
  ExpectProblemOfLine("\n\n1\n\n\nword", 6);
  ExpectProblemOfLine("1\r\n\r\nword\r\n", 3);
}

TEST(ParseVocabularyTest, WhatIsNoNumberIsAProblem) {
  for (const std::string weight :
       {"1 2", "1x", "x1", "--1", "1e", "1.2.3", "a,", "a,b", ",", "$5", "1;2"}) {
    ExpectProblemOfLine(weight, 1);
    ExpectProblemOfLine("5\n" + weight + "\n", 2);
  }
  ExpectProblemOfLine(std::string("1\0", 2), 1);
  ExpectProblemOfLine(std::string("1\0002", 3), 1);
}

TEST(ParseVocabularyTest, WhatIsNoWeightIsAProblem) {
  for (const char* weight :
       {"-1", "-1e-30", "nan", "-nan", "inf", "-inf", "infinity", "1e39", "w,-2"}) {
    ExpectProblemOfLine(weight, 1);
  }
}

TEST(ParseVocabularyTest, AFileWithoutWeightsIsAProblem) {
  for (const char* text : {"", "\n", "  \r\n\n"}) EXPECT_NE(Problem(text), "") << text;
}

// The message quotes only the beginning of a long line.
TEST(ParseVocabularyTest, LongLinesAreCutInMessages) {
  const std::string problem = Problem(std::string(100000, 'x'));
  EXPECT_LT(problem.size(), 200u);
  EXPECT_NE(problem.find("xxx..."), std::string::npos) << problem;
}

TEST(UnigramShardTest, Check) {
  UnigramShard shard;
  EXPECT_EQ(shard.Check(), "");
  EXPECT_TRUE(shard.IsIdentity());
  const auto problem = [](float distortion, int64_t reserved, int64_t shards, int64_t shard) {
    UnigramShard made;
    made.distortion = distortion;
    made.num_reserved_ids = reserved;
    made.num_shards = shards;
    made.shard = shard;
    return made.Check();
  };
  EXPECT_EQ(problem(0.75, 2, 3, 2), "");
  EXPECT_EQ(problem(-1, 0, 1, 0), "");
  EXPECT_NE(problem(kNan, 0, 1, 0).find("distortion"), std::string::npos);
  EXPECT_NE(problem(kInfinity, 0, 1, 0).find("distortion"), std::string::npos);
  EXPECT_NE(problem(1, -1, 1, 0).find("num_reserved_ids"), std::string::npos);
  EXPECT_NE(problem(1, std::numeric_limits<int64_t>::max(), 1, 0).find("num_reserved_ids"),
            std::string::npos);
  EXPECT_NE(problem(1, 0, 0, 0).find("num_shards"), std::string::npos);
  EXPECT_NE(problem(1, 0, -5, 0).find("num_shards"), std::string::npos);
  EXPECT_NE(problem(1, 0, 2, 2).find("shard"), std::string::npos);
  EXPECT_NE(problem(1, 0, 2, -1).find("shard"), std::string::npos);
}

TEST(UnigramShardTest, OnlyWhatChangesNothingIsIdentity) {
  UnigramShard shard;
  shard.distortion = 0.5;
  EXPECT_FALSE(shard.IsIdentity());
  shard = UnigramShard();
  shard.num_reserved_ids = 1;
  EXPECT_FALSE(shard.IsIdentity());
  shard = UnigramShard();
  shard.num_shards = 2;
  EXPECT_FALSE(shard.IsIdentity());
}

Weights Kept(const Weights& weights, const UnigramShard& shard) {
  const int64_t count = static_cast<int64_t>(weights.size());
  Weights kept(ShardSize(count, shard));
  ShardWeights(weights.data(), count, shard, kept.data());
  return kept;
}

// Each id is in one shard, at id / num_shards, with its weight. Reserved ids have weight 0.
TEST(UnigramShardTest, ShardsPartitionTheIds) {
  for (const int64_t count : {1, 2, 3, 10, 17}) {
    Weights weights;
    for (int64_t k = 0; k < count; ++k) weights.push_back(static_cast<float>(k + 1));
    for (const int64_t reserved : {0, 1, 2, 5, 20}) {
      const int64_t ids = reserved + count;
      for (const int64_t shards : {1, 2, 3, 7, 40}) {
        std::vector<int> seen(ids, 0);
        for (int64_t s = 0; s < shards; ++s) {
          UnigramShard shard;
          shard.num_reserved_ids = reserved;
          shard.num_shards = shards;
          shard.shard = s;
          const Weights kept = Kept(weights, shard);
          for (size_t k = 0; k < kept.size(); ++k) {
            const int64_t id = s + static_cast<int64_t>(k) * shards;
            ASSERT_LT(id, ids);
            ++seen[id];
            ASSERT_EQ(kept[k], id < reserved ? 0 : weights[id - reserved]) << id;
          }
        }
        ASSERT_EQ(seen, std::vector<int>(ids, 1)) << count << " " << reserved << " " << shards;
      }
    }
  }
}

TEST(UnigramShardTest, DistortionIsAPower) {
  UnigramShard shard;
  shard.distortion = 0.75f;
  shard.num_reserved_ids = 1;
  const Weights weights = {0, 1, 2, 100, 1e30f, 3e38f};
  const Weights kept = Kept(weights, shard);
  ASSERT_EQ(kept.size(), 7u);
  EXPECT_EQ(kept[0], 0);
  for (size_t k = 0; k < weights.size(); ++k) {
    EXPECT_FLOAT_EQ(kept[k + 1], static_cast<float>(std::pow(weights[k], 0.75))) << weights[k];
  }
  // Reserved ids keep weight 0, but given zeros become ones: 0 to the power 0.
  shard.distortion = 0;
  EXPECT_EQ(Kept({0, 5}, shard), (Weights{0, 1, 1}));
  shard.distortion = 2;
  EXPECT_EQ(Kept({1e30f}, shard)[1], kInfinity);
}

TEST(CheckUnigramWeightsTest, NamesTheClass) {
  const auto problem = [](const Weights& weights) {
    return CheckUnigramWeights(weights.data(), static_cast<int64_t>(weights.size()));
  };
  EXPECT_EQ(problem({1}), "");
  EXPECT_EQ(problem({0, 0, std::numeric_limits<float>::min()}), "");
  EXPECT_EQ(problem({std::numeric_limits<float>::max(), 0}), "");
  EXPECT_NE(problem({1, -1}).find("class 1"), std::string::npos);
  EXPECT_NE(problem({1, 2, kNan}).find("class 2"), std::string::npos);
  EXPECT_NE(problem({kInfinity}).find("class 0"), std::string::npos);
  EXPECT_NE(problem({1, -kInfinity}).find("class 1"), std::string::npos);
  EXPECT_NE(problem({0, 0}), "");
  // Subnormal weights count as zeros.
  EXPECT_NE(problem({0, 1e-39f}), "");
  EXPECT_EQ(problem({1, 1e-39f}), "");
  EXPECT_NE(problem({}), "");
}

}  // namespace
}  // namespace candsamp
