// SPDX-License-Identifier: Apache-2.0
#include "cc/lib/samplers/unigram_weights.h"

#include <charconv>
#include <cmath>
#include <system_error>

namespace candsamp {
namespace {

constexpr std::string_view kSpaces = " \t\r\f\v";

std::string_view Trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

// Parses all of `text` as a number, in every locale alike.
bool ParseFloat(std::string_view text, float* value) {
  text = Trimmed(text);
  const bool negative = !text.empty() && text[0] == '-';
  if (negative || (!text.empty() && text[0] == '+')) text.remove_prefix(1);
  const bool hex = text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
  if (hex) text.remove_prefix(2);
  if (text.empty() || text[0] == '-') return false;
  const auto format = hex ? std::chars_format::hex : std::chars_format::general;
  const char* const end = text.data() + text.size();
  std::from_chars_result parsed = std::from_chars(text.data(), end, *value, format);
  if (parsed.ec == std::errc::result_out_of_range) {  // as a float: infinity or zero
    double wide;
    parsed = std::from_chars(text.data(), end, wide, format);
    *value = static_cast<float>(wide);
  }
  if (negative) *value = -*value;
  return parsed.ec == std::errc() && parsed.ptr == end;
}

}  // namespace

std::string ParseVocabulary(std::string_view text, std::vector<float>* weights) {
  constexpr size_t kMostShown = 60;
  weights->clear();
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    const std::string_view line = Trimmed(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.empty()) continue;
    const size_t comma = line.rfind(',');
    float weight;
    if (!ParseFloat(comma == std::string_view::npos ? line : line.substr(comma + 1), &weight)) {
      return "line " + std::to_string(number) +
             " must be a number, or end in a comma and a number, got '" +
             std::string(line.substr(0, kMostShown)) + (line.size() > kMostShown ? "..." : "") +
             "'";
    }
    if (!(weight >= 0) || std::isinf(weight)) {
      return "line " + std::to_string(number) +
             " must have a weight that is finite and not negative, got " + std::to_string(weight);
    }
    weights->push_back(weight);
  }
  if (weights->empty()) return "there must be at least one weight, got none";
  return "";
}

std::string UnigramShard::Check() const {
  if (!std::isfinite(distortion)) {
    return "distortion must be finite, got " + std::to_string(distortion);
  }
  if (num_reserved_ids < 0 || num_reserved_ids > int64_t{1} << 40) {
    return "num_reserved_ids must be between 0 and 2^40, got " + std::to_string(num_reserved_ids);
  }
  if (num_shards < 1) return "num_shards must be positive, got " + std::to_string(num_shards);
  if (shard < 0 || shard >= num_shards) {
    return "shard must be in [0, num_shards = " + std::to_string(num_shards) + "), got " +
           std::to_string(shard);
  }
  return "";
}

bool UnigramShard::IsIdentity() const {
  return distortion == 1 && num_reserved_ids == 0 && num_shards == 1;
}

int64_t ShardSize(int64_t count, const UnigramShard& shard) {
  const int64_t ids = shard.num_reserved_ids + count;
  return ids > shard.shard ? (ids - shard.shard - 1) / shard.num_shards + 1 : 0;
}

void ShardWeights(const float* weights, int64_t count, const UnigramShard& shard, float* out) {
  const int64_t size = ShardSize(count, shard);
  for (int64_t k = 0; k < size; ++k) {
    const int64_t given = shard.shard + k * shard.num_shards - shard.num_reserved_ids;
    if (given < 0) {
      out[k] = 0;
    } else {
      out[k] = shard.distortion == 1 ? weights[given] : std::pow(weights[given], shard.distortion);
    }
  }
}

std::string CheckUnigramWeights(const float* weights, int64_t count) {
  bool any = false;
  for (int64_t k = 0; k < count; ++k) {
    if (!(weights[k] >= 0) || std::isinf(weights[k])) {
      return "unigrams must be finite and not negative, got " + std::to_string(weights[k]) +
             " for class " + std::to_string(k);
    }
    any |= CanBeDrawn(weights[k]);
  }
  return any ? "" : "unigrams must have a positive weight, got zeros only";
}

}  // namespace candsamp
