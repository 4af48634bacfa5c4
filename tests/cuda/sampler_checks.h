// Compares what a device draws with what the CPU draws, id by id and bit by bit: on a device, or on
// threads that stand for one. Free of test frameworks: each check returns what is wrong, or
// nothing.
//
// A backend has Upload(vector) and Download(pointer, count), memory of the device's that lives
// until Free(); Batch, Rows, Probabilities, Build, Count, Hits and All, which launch what cc/cuda
// launches.
#ifndef TF_CANDSAMP_TESTS_CUDA_SAMPLER_CHECKS_H_
#define TF_CANDSAMP_TESTS_CUDA_SAMPLER_CHECKS_H_

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "cc/cuda/classes/accidental_hits.h"
#include "cc/cuda/samplers/all_candidates.h"
#include "cc/cuda/samplers/launchers.h"
#include "cc/cuda/samplers/learned_unigram_launchers.h"
#include "cc/lib/classes/accidental_hits.h"
#include "cc/lib/samplers/draw_candidates.h"
#include "cc/lib/samplers/draw_rows.h"
#include "cc/lib/samplers/fixed_unigram.h"
#include "cc/lib/samplers/learned_unigram.h"
#include "cc/lib/samplers/log_uniform.h"
#include "cc/lib/samplers/uniform.h"

namespace candsamp {

// The calling thread alone.
class SerialRuntime : public Runtime {
 public:
  void ParallelFor(int64_t total, int64_t,
                   const std::function<void(int64_t, int64_t)>& work) override {
    if (total > 0) work(0, total);
  }
  void* AllocateBytes(size_t bytes) override {
    memory_.emplace_back(bytes / 8 + 8);
    return memory_.back().data();
  }

 private:
  std::deque<std::vector<uint64_t>> memory_;
};

// A distribution on the CPU, and what a device needs to have the same.
struct CheckedDistribution {
  enum Kind { kUniform, kLogUniform, kFixedUnigram, kLearnedUnigram };
  std::string name;
  Kind kind;
  std::vector<float> weights;
  std::vector<int64_t> counts;
  std::unique_ptr<Distribution> cpu;

  static CheckedDistribution Of(Kind kind, int64_t range) {
    return kind == kUniform
               ? CheckedDistribution{"uniform", kind, {}, {}, std::make_unique<Uniform>(range)}
               : CheckedDistribution{
                     "log-uniform", kind, {}, {}, std::make_unique<LogUniform>(range)};
  }
  static CheckedDistribution Fixed(std::vector<float> weights) {
    CheckedDistribution made = {"fixed unigram", kFixedUnigram, std::move(weights), {}, nullptr};
    made.cpu = std::make_unique<FixedUnigram>(made.weights.data(), made.weights.size());
    return made;
  }
  static CheckedDistribution Learned(std::vector<int64_t> counts) {
    CheckedDistribution made = {"learned unigram", kLearnedUnigram, {}, std::move(counts), nullptr};
    made.cpu = std::make_unique<LearnedUnigram>(made.counts.data(), made.counts.size());
    return made;
  }

  int64_t range() const { return cpu->range(); }
};

// A learned-unigram distribution in a backend's memory, with room for some more counts.
template <typename Backend>
LearnedCounts UploadLearned(Backend& backend, const std::vector<int64_t>& counts, int64_t more) {
  const int64_t range = static_cast<int64_t>(counts.size());
  int64_t counted = 0;
  for (const int64_t count : counts) counted += count;
  const SlotBlocks blocks = MostSlotBlocks(counted + more, range);
  LearnedCounts learned;
  learned.range = range;
  learned.counts = backend.Upload(counts);
  learned.state = backend.Upload(std::vector<SlotState>(1));
  learned.places = backend.Upload(std::vector<uint32_t>(blocks.count * blocks.places));
  learned.taken = backend.Upload(std::vector<uint16_t>(blocks.count + 1));
  learned.copy = backend.Upload(counts);
  backend.Build(learned, counted + range);
  return learned;
}

// Calls use(source).
template <typename Backend, typename Use>
void WithView(Backend& backend, const CheckedDistribution& checked, Use use) {
  const int64_t range = checked.range();
  switch (checked.kind) {
    case CheckedDistribution::kUniform:
      return use(UniformView(range));
    case CheckedDistribution::kLogUniform:
      return use(LogUniformView(range));
    case CheckedDistribution::kFixedUnigram: {
      const auto& cpu = static_cast<const FixedUnigram&>(*checked.cpu);
      const std::vector<AliasColumn> columns(cpu.columns(), cpu.columns() + range);
      return use(FixedUnigramView(range, cpu.support(), cpu.total(), backend.Upload(columns)));
    }
    case CheckedDistribution::kLearnedUnigram: {
      const LearnedCounts learned = UploadLearned(backend, checked.counts, 0);
      return use(LearnedUnigramView(range, learned.counts, learned.state));
    }
  }
}

// The first place where two vectors differ, bit by bit.
template <typename T>
std::string Difference(const char* what, const std::vector<T>& wanted, const std::vector<T>& got) {
  for (size_t k = 0; k < wanted.size(); ++k) {
    if (std::memcmp(&wanted[k], &got[k], sizeof(T)) != 0) {
      return std::string(what) + "[" + std::to_string(k) + "] is " + std::to_string(got[k]) +
             ", on the CPU " + std::to_string(wanted[k]);
    }
  }
  return "";
}

struct BatchCase {
  PhiloxStream stream;
  int64_t count;
  bool unique, exact;
  std::vector<int64_t> true_classes;

  std::string name(const CheckedDistribution& checked) const {
    return checked.name + " of " + std::to_string(checked.range()) + ", " + std::to_string(count) +
           (unique ? " unique" : "") + (exact ? " exact" : "") + ", key " +
           std::to_string(stream.key);
  }
};

template <typename Backend>
std::string CheckBatch(Backend& backend, const CheckedDistribution& checked,
                       const BatchCase& batch) {
  SerialRuntime host;
  std::vector<int64_t> ids(batch.count);
  std::vector<float> counts(batch.count), true_counts(batch.true_classes.size());
  const int64_t num_true = static_cast<int64_t>(true_counts.size());
  const CountRule rule =
      DrawCandidates(host, *checked.cpu, batch.stream, {batch.count, batch.unique, batch.exact},
                     ids.data(), counts.data());
  ExpectedCounts(host, *checked.cpu, rule, batch.true_classes.data(), num_true, true_counts.data());

  const std::vector<int64_t> state = {static_cast<int64_t>(batch.stream.low),
                                      static_cast<int64_t>(batch.stream.high),
                                      static_cast<int64_t>(batch.stream.key)};
  BatchDraw draw;
  draw.stream =
      batch.count % 2 ? StreamOrigin::Of(batch.stream) : StreamOrigin::At(backend.Upload(state));
  draw.num_sampled = batch.count;
  draw.unique = batch.unique;
  draw.exact = batch.exact;
  draw.num_true = num_true;
  draw.true_classes = backend.Upload(batch.true_classes);
  draw.candidates = backend.Upload(std::vector<int64_t>(batch.count, -7));
  draw.sampled_count = backend.Upload(std::vector<float>(batch.count, -7));
  draw.true_count = backend.Upload(std::vector<float>(num_true, -7));
  WithView(backend, checked, [&](const auto& view) { backend.Batch(view, draw); });
  std::string problem =
      Difference("candidates", ids, backend.Download(draw.candidates, batch.count)) +
      Difference(" sampled_count", counts, backend.Download(draw.sampled_count, batch.count)) +
      Difference(" true_count", true_counts, backend.Download(draw.true_count, num_true));
  backend.Free();
  return problem.empty() ? "" : batch.name(checked) + ": " + problem;
}

struct RowsCase {
  PhiloxStream stream;
  std::vector<int64_t> num_sampled;
  bool unique, exact, exclude_true;
  std::vector<std::vector<int64_t>> true_classes;
};

template <typename Backend>
std::string CheckRows(Backend& backend, const CheckedDistribution& checked, const RowsCase& batch) {
  std::vector<int64_t> splits = {0}, true_splits = {0}, true_classes;
  int64_t most = 0;
  for (size_t row = 0; row < batch.num_sampled.size(); ++row) {
    splits.push_back(splits.back() + batch.num_sampled[row]);
    most = std::max(most, batch.num_sampled[row]);
    const auto& mine = batch.true_classes[row];
    true_classes.insert(true_classes.end(), mine.begin(), mine.end());
    true_splits.push_back(static_cast<int64_t>(true_classes.size()));
  }
  const int64_t total = splits.back();
  std::vector<int64_t> ids(total);
  std::vector<float> counts(total);
  SerialRuntime host;
  const RaggedDraws draws = {static_cast<int64_t>(batch.num_sampled.size()),
                             splits.data(),
                             batch.unique,
                             batch.exact,
                             batch.exclude_true ? true_splits.data() : nullptr,
                             true_classes.data()};
  const std::string refused =
      DrawRaggedCandidates(host, *checked.cpu, batch.stream, draws, ids.data(), counts.data());
  if (!refused.empty()) return "a case that the CPU refuses: " + refused;

  RowsDraw draw;
  draw.stream = StreamOrigin::Of(batch.stream);
  draw.rows = draws.rows;
  draw.splits = backend.Upload(splits);
  draw.unique = batch.unique;
  draw.exact = batch.exact;
  draw.exclude_true = batch.exclude_true;
  draw.num_true = static_cast<int64_t>(true_classes.size());
  draw.true_classes = backend.Upload(true_classes);
  draw.true_splits = backend.Upload(true_splits);
  draw.candidates = backend.Upload(std::vector<int64_t>(total, -7));
  draw.expected_count = backend.Upload(std::vector<float>(total, -7));
  WithView(backend, checked, [&](const auto& view) { backend.Rows(view, draw, most, total); });
  std::string problem =
      Difference("candidates", ids, backend.Download(draw.candidates, total)) +
      Difference(" expected_count", counts, backend.Download(draw.expected_count, total));
  backend.Free();
  return problem.empty() ? ""
                         : checked.name + " of " + std::to_string(checked.range()) + ", rows" +
                               (batch.unique ? " unique" : "") + (batch.exact ? " exact" : "") +
                               (batch.exclude_true ? " without true classes" : "") + ": " + problem;
}

template <typename Backend>
std::string CheckProbabilities(Backend& backend, const CheckedDistribution& checked,
                               const std::vector<int64_t>& ids) {
  SerialRuntime host;
  const int64_t count = static_cast<int64_t>(ids.size());
  std::vector<float> wanted(count);
  ExpectedCounts(host, *checked.cpu, {CountRule::kProportional, 1.0}, ids.data(), count,
                 wanted.data());
  float* const out = backend.Upload(std::vector<float>(count, -7));
  WithView(backend, checked,
           [&](const auto& view) { backend.Probabilities(view, backend.Upload(ids), count, out); });
  const std::string problem = Difference("probability", wanted, backend.Download(out, count));
  backend.Free();
  return problem.empty() ? "" : checked.name + ": " + problem;
}

// What differs between the table of slots that a device keeps and the CPU's.
template <typename Backend>
std::string CompareTables(Backend& backend, const LearnedUnigram& cpu,
                          const LearnedCounts& learned) {
  const SlotBlocks& blocks = cpu.blocks();
  const SlotTable table = cpu.table();
  const SlotState state = backend.Download(learned.state, 1)[0];
  const auto layout = [](int64_t total, const SlotBlocks& blocks, const SlotTable& table) {
    return std::vector<int64_t>{total, blocks.count, blocks.places, table.shift,
                                static_cast<int64_t>(table.of_block)};
  };
  std::string problem = Difference("layout", layout(cpu.total(), blocks, table),
                                   layout(state.total, state.blocks, state.table));
  if (!problem.empty()) return problem;
  const int64_t size = blocks.count * blocks.places;
  const std::vector<uint32_t> places(table.classes, table.classes + size);
  const std::vector<uint32_t> got_places = backend.Download(learned.places, size);
  problem = Difference("places", places, got_places);
  if (!problem.empty()) return problem;
  const std::vector<int64_t> counts(table.counts, table.counts + learned.range);
  problem = Difference("counts", counts, backend.Download(learned.counts, learned.range));
  if (!problem.empty()) return problem;
  return Difference("copy of the counts", counts, backend.Download(learned.copy, learned.range));
}

// Counts batches of classes, drawing after each.
template <typename Backend>
std::string CheckCounting(Backend& backend, std::vector<int64_t> counts,
                          const std::vector<std::vector<int64_t>>& updates) {
  const int64_t range = static_cast<int64_t>(counts.size());
  int64_t more = 0;
  for (const auto& update : updates) more += static_cast<int64_t>(update.size());
  const LearnedCounts learned = UploadLearned(backend, counts, more);
  LearnedUnigram cpu(counts.data(), range);
  const int64_t draws = 300;
  std::string problem;
  for (size_t k = 0; k < updates.size() && problem.empty(); ++k) {
    cpu.Add(updates[k].data(), static_cast<int64_t>(updates[k].size()));
    // Those that are no classes are left out.
    std::vector<int64_t> classes = updates[k];
    classes.push_back(-1);
    classes.insert(classes.begin(), range);
    backend.Count(learned, backend.Upload(classes), static_cast<int64_t>(classes.size()));
    SerialRuntime host;
    std::vector<int64_t> ids(draws);
    std::vector<float> expected(draws);
    const PhiloxStream stream = {k, 1, 2};
    DrawCandidates(host, cpu, stream, {draws, false, false}, ids.data(), expected.data());
    BatchDraw draw = {};
    draw.stream = StreamOrigin::Of(stream);
    draw.num_sampled = draws;
    draw.candidates = backend.Upload(std::vector<int64_t>(draws));
    draw.sampled_count = backend.Upload(std::vector<float>(draws));
    backend.Batch(LearnedUnigramView(range, learned.counts, learned.state), draw);
    problem = CompareTables(backend, cpu, learned) +
              Difference(" counts", counts, backend.Download(learned.counts, range)) +
              Difference(" candidates", ids, backend.Download(draw.candidates, draws)) +
              Difference(" expected", expected, backend.Download(draw.sampled_count, draws));
    if (!problem.empty()) problem = "update " + std::to_string(k) + ": " + problem;
  }
  backend.Free();
  return problem;
}

template <typename Backend>
std::string CheckHits(Backend& backend, const std::vector<int64_t>& true_classes, int64_t row_size,
                      const std::vector<int64_t>& candidates) {
  SerialRuntime host;
  const CandidatePositions positions(host, candidates.data(),
                                     static_cast<int64_t>(candidates.size()));
  std::vector<int32_t> rows;
  std::vector<int64_t> hits;
  for (size_t k = 0; k < true_classes.size(); ++k) {
    positions.ForEach(true_classes[k], [&](int64_t position) {
      rows.push_back(static_cast<int32_t>(static_cast<int64_t>(k) / row_size));
      hits.push_back(position);
    });
  }
  const HitsInput input = {backend.Upload(true_classes), static_cast<int64_t>(true_classes.size()),
                           row_size, backend.Upload(candidates),
                           static_cast<int64_t>(candidates.size())};
  std::vector<int32_t> got_rows;
  std::vector<int64_t> got_hits;
  std::vector<float> weights;
  backend.Hits(input, &got_rows, &got_hits, &weights);
  backend.Free();
  if (got_rows.size() != rows.size()) {
    return std::to_string(got_rows.size()) + " hits, on the CPU " + std::to_string(rows.size());
  }
  return Difference("indices", rows, got_rows) + Difference(" ids", hits, got_hits) +
         Difference(" weights", std::vector<float>(rows.size(), -FLT_MAX), weights);
}

// What is no class has no expected count.
template <typename Backend>
std::string CheckWhatIsNoClass(Backend& backend, const CheckedDistribution& checked) {
  const std::vector<int64_t> ids = {-1, checked.range(), INT64_MIN, INT64_MAX};
  const int64_t count = static_cast<int64_t>(ids.size());
  float* const out = backend.Upload(std::vector<float>(count, -7));
  WithView(backend, checked,
           [&](const auto& view) { backend.Probabilities(view, backend.Upload(ids), count, out); });
  std::string problem;
  for (const float p : backend.Download(out, count)) {
    if (!std::isnan(p)) problem = checked.name + ": what is no class has a probability";
  }
  backend.Free();
  return problem;
}

// A row that asks for more than there is besides its true classes gets -1 for the rest, with an
// expected count of NaN; the next row does not suffer. REQUIRES: range > 3.
template <typename Backend>
std::string CheckTooFewClasses(Backend& backend, int64_t range, bool unique, bool exact) {
  const int64_t left = unique ? 2 : 0, asked = left + 3;
  std::vector<int64_t> true_classes(range - left);
  for (int64_t k = 0; k < range - left; ++k) true_classes[k] = range - 1 - k;
  const int64_t total = asked + 2, num_true = static_cast<int64_t>(true_classes.size());
  RowsDraw draw = {};
  draw.stream = StreamOrigin::Of({1, 2, 3});
  draw.rows = 2;
  draw.splits = backend.Upload(std::vector<int64_t>{0, asked, total});
  draw.unique = unique;
  draw.exact = exact;
  draw.exclude_true = true;
  draw.num_true = num_true;
  draw.true_classes = backend.Upload(true_classes);
  draw.true_splits = backend.Upload(std::vector<int64_t>{0, num_true, num_true});
  draw.candidates = backend.Upload(std::vector<int64_t>(total, -7));
  draw.expected_count = backend.Upload(std::vector<float>(total, -7));
  backend.Rows(UniformView(range), draw, asked, total);
  const std::vector<int64_t> ids = backend.Download(draw.candidates, total);
  const std::vector<float> counts = backend.Download(draw.expected_count, total);
  backend.Free();
  for (int64_t k = 0; k < total; ++k) {
    const bool missing = left <= k && k < asked;
    const bool is_class = 0 <= ids[k] && ids[k] < (k < asked ? left : range);
    if (missing ? ids[k] != -1 || !std::isnan(counts[k]) : !is_class || !(counts[k] > 0)) {
      return "candidate " + std::to_string(k) + " of rows of which one asks for too many is " +
             std::to_string(ids[k]) + ", expected " + std::to_string(counts[k]) + " times";
    }
  }
  return "";
}

template <typename Backend>
std::string CheckAllCandidates(Backend& backend, int64_t count,
                               const std::vector<int64_t>& true_classes) {
  const int64_t num_true = static_cast<int64_t>(true_classes.size());
  AllCandidates all;
  all.count = count;
  all.num_true = num_true;
  all.true_classes = backend.Upload(true_classes);
  all.candidates = backend.Upload(std::vector<int64_t>(count, -7));
  all.sampled_count = backend.Upload(std::vector<float>(count, -7));
  all.true_count = backend.Upload(std::vector<float>(num_true, -7));
  backend.All(all);
  std::vector<int64_t> ids(count);
  for (int64_t k = 0; k < count; ++k) ids[k] = k;
  std::string problem = Difference("candidates", ids, backend.Download(all.candidates, count)) +
                        Difference(" sampled_count", std::vector<float>(count, 1),
                                   backend.Download(all.sampled_count, count));
  const std::vector<float> true_counts = backend.Download(all.true_count, num_true);
  for (int64_t k = 0; k < num_true; ++k) {
    const bool is_class = 0 <= true_classes[k] && true_classes[k] < count;
    if (is_class ? true_counts[k] != 1 : !std::isnan(true_counts[k])) {
      problem += " true_count[" + std::to_string(k) + "] is " + std::to_string(true_counts[k]);
    }
  }
  backend.Free();
  return problem;
}

// Random cases, from a seed.
class RandomCases {
 public:
  explicit RandomCases(uint32_t seed) : random_(seed) {}

  int64_t Below(int64_t bound) {
    return std::uniform_int_distribution<int64_t>(0, bound - 1)(random_);
  }
  bool Coin() { return Below(2) == 1; }
  // Of any magnitude.
  int64_t Size(int64_t most) {
    const double u = std::uniform_real_distribution<double>(0, std::log(most + 1.0))(random_);
    return std::min<int64_t>(most, std::max<int64_t>(1, static_cast<int64_t>(std::exp(u))));
  }

  CheckedDistribution Distribution(CheckedDistribution::Kind kind, int64_t range) {
    if (kind == CheckedDistribution::kFixedUnigram) {
      std::vector<float> weights(range);
      for (float& weight : weights) weight = Weight();
      weights[Below(range)] = 1;
      return CheckedDistribution::Fixed(std::move(weights));
    }
    if (kind == CheckedDistribution::kLearnedUnigram) {
      std::vector<int64_t> counts(range);
      for (int64_t& count : counts) count = Coin() ? 0 : Size(Coin() ? 3 : 3000) - 1;
      return CheckedDistribution::Learned(std::move(counts));
    }
    return CheckedDistribution::Of(kind, range);
  }

  BatchCase Batch(const CheckedDistribution& checked, int64_t most) {
    BatchCase batch;
    batch.stream = Stream();
    batch.unique = Coin();
    batch.exact = Coin();
    if (batch.unique) most = std::min(most, checked.cpu->support());
    batch.count = Below(4) ? Size(most) : most;
    for (int64_t k = Below(9); k > 0; --k) batch.true_classes.push_back(Below(checked.range()));
    return batch;
  }

  RowsCase Rows(const CheckedDistribution& checked, int64_t most) {
    RowsCase rows;
    rows.stream = Stream();
    rows.unique = Coin();
    rows.exact = Coin();
    rows.exclude_true = Coin();
    for (int64_t row = Below(12); row >= 0; --row) {
      std::vector<int64_t> true_classes;
      int64_t available = checked.cpu->support();
      for (int64_t k = Below(4); k > 0 && available > 2; --k, --available) {
        true_classes.push_back(Below(checked.range()));
      }
      if (!true_classes.empty() && Coin()) true_classes.push_back(true_classes[0]);
      const int64_t limit = rows.unique ? std::min(most, available) : most;
      rows.num_sampled.push_back(Below(5) ? Size(limit) : Coin() ? 0 : limit);
      rows.true_classes.push_back(std::move(true_classes));
    }
    return rows;
  }

  PhiloxStream Stream() { return {random_(), random_(), Coin() ? random_() : ~uint64_t{0}}; }

 private:
  // Some of them none at all, some far above the others.
  float Weight() {
    const int64_t kind = Below(8);
    if (kind == 0) return 0;
    return std::exp(static_cast<float>(Below(kind == 1 ? 30 : 4)));
  }

  std::mt19937_64 random_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CUDA_SAMPLER_CHECKS_H_
