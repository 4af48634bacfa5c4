// SPDX-License-Identifier: Apache-2.0
// Groups entries by class: the distinct classes in ascending order, and the entries of each.
#ifndef TF_CANDSAMP_CC_LIB_CLASSES_CLASS_GROUPS_H_
#define TF_CANDSAMP_CC_LIB_CLASSES_CLASS_GROUPS_H_

#include <algorithm>
#include <cstdint>
#include <utility>

#include "cc/lib/core/runtime.h"

namespace candsamp {

// The number of classes that buckets and keys can tell apart.
constexpr int64_t kMostClasses = int64_t{1} << 43;

// A stable parallel radix sort in three steps:
//  1. Deal the entries into buckets by the high bits of their class.
//  2. Sort each bucket by the low bits, in cache.
//  3. Find where each class begins.
// Not std::stable_sort: that takes O(n log n) time for n entries, on one thread. This sort takes
// O(n) on the threads of the op, whatever the number of classes, and its result does not depend on
// how many threads there are.
//
// Entry is a trivially copyable struct with a member `uint32_t key`, which ClassGroups sets.
// Entries gives the entries by position: `int64_t Id(int64_t position)` is the class of one, and
// `ForEach(begin, end, emit)` calls emit(id, entry) for the positions [begin, end) in order.
template <typename Entry>
class ClassGroups {
 public:
  // REQUIRES: every id is in [0, num_classes), num_classes <= kMostClasses.
  template <typename Entries>
  ClassGroups(Runtime& runtime, int64_t count, int64_t num_classes, const Entries& entries)
      : runtime_(runtime), count_(count) {
    ChooseBuckets(num_classes);
    Entry* dealt = runtime.Allocate<Entry>(count);
    Entry* spare = runtime.Allocate<Entry>(count);
    bucket_start_ = runtime.Allocate<int64_t>(buckets_ + 1);
    Deal(entries, dealt);
    first_group_ = runtime.Allocate<int64_t>(buckets_);
    entries_ = SortBuckets(dealt, spare);
    FindGroups();
  }

  int64_t size() const { return groups_; }             // distinct classes
  const int64_t* classes() const { return classes_; }  // [size()], ascending
  // Group g has the entries [start(g), start(g + 1)).
  int64_t start(int64_t group) const { return starts_[group]; }
  const Entry& entry(int64_t position) const { return entries_[position]; }

 private:
  static constexpr int64_t kEntriesPerBucket = 512;
  static constexpr int kMaxBucketBits = 11;
  static constexpr int kKeyBits = 32;
  static constexpr int kDigitBits = 8;
  static constexpr int64_t kEntriesPerPart = 4096;
  static constexpr int64_t kMaxParts = 64;
  static constexpr int64_t kSortCost = 12;  // cycles for an entry and pass

  static int BitsFor(int64_t values) {
    int bits = 0;
    while (bits < 62 && (int64_t{1} << bits) < values) ++bits;
    return bits;
  }

  void ChooseBuckets(int64_t num_classes) {
    const int class_bits = BitsFor(num_classes);
    const int wanted = std::min(BitsFor(count_ / kEntriesPerBucket), kMaxBucketBits);
    const int bucket_bits = std::max(std::min(wanted, class_bits), class_bits - kKeyBits);
    shift_ = class_bits - bucket_bits;
    buckets_ = int64_t{1} << bucket_bits;
  }

  int64_t BucketOf(int64_t id) const { return id >> shift_; }

  // Step 1. Counts by part and bucket, turns the counts into first positions, and moves the
  // entries.
  template <typename Entries>
  void Deal(const Entries& entries, Entry* out) {
    const int64_t parts = std::clamp<int64_t>(count_ / kEntriesPerPart, 1, kMaxParts);
    int64_t* next = runtime_.Allocate<int64_t>(parts * buckets_);
    const auto for_each_part = [&](auto work) {
      runtime_.ParallelFor(parts, count_ / parts * kSortCost, [&](int64_t first, int64_t last) {
        for (int64_t part = first; part < last; ++part) {
          work(next + part * buckets_, count_ * part / parts, count_ * (part + 1) / parts);
        }
      });
    };
    for_each_part([&](int64_t* counts, int64_t begin, int64_t end) {
      std::fill_n(counts, buckets_, 0);
      for (int64_t k = begin; k < end; ++k) ++counts[BucketOf(entries.Id(k))];
    });
    int64_t position = 0;
    for (int64_t bucket = 0; bucket < buckets_; ++bucket) {
      bucket_start_[bucket] = position;
      for (int64_t part = 0; part < parts; ++part) {
        position += std::exchange(next[part * buckets_ + bucket], position);
      }
    }
    bucket_start_[buckets_] = position;
    const int64_t mask = (int64_t{1} << shift_) - 1;
    for_each_part([&](int64_t* positions, int64_t begin, int64_t end) {
      entries.ForEach(begin, end, [&](int64_t id, Entry entry) {
        entry.key = static_cast<uint32_t>(id & mask);  // the bucket has the high bits
        out[positions[BucketOf(id)]++] = entry;
      });
    });
  }

  template <typename Work>
  void ForEachBucket(int64_t cost, Work work) const {
    runtime_.ParallelFor(buckets_, std::max<int64_t>(count_ / buckets_, 1) * cost,
                         [&](int64_t first, int64_t last) {
                           for (int64_t b = first; b < last; ++b) {
                             work(b, bucket_start_[b], bucket_start_[b + 1]);
                           }
                         });
  }

  // Step 2. Sorts each bucket by key, least significant digit first, back and forth between two
  // buffers, and counts its classes. All buckets take the same number of passes. Returns the buffer
  // in which they end.
  Entry* SortBuckets(Entry* in, Entry* out) const {
    const int passes = (shift_ + kDigitBits - 1) / kDigitBits;
    const int digit_bits = passes == 0 ? 0 : (shift_ + passes - 1) / passes;
    ForEachBucket((passes + 1) * kSortCost, [&](int64_t bucket, int64_t begin, int64_t end) {
      Entry* from = in;
      Entry* to = out;
      for (int pass = 0; pass < passes; ++pass, std::swap(from, to)) {
        SortByDigit(from + begin, end - begin, pass * digit_bits, digit_bits, to + begin);
      }
      int64_t groups = 0;
      for (int64_t k = begin; k < end; ++k) groups += IsFirst(from, begin, k);
      first_group_[bucket] = groups;
    });
    return passes % 2 == 0 ? in : out;
  }

  static bool IsFirst(const Entry* entries, int64_t begin, int64_t k) {
    return k == begin || entries[k].key != entries[k - 1].key;
  }

  static void SortByDigit(const Entry* in, int64_t count, int shift, int bits, Entry* out) {
    const uint32_t mask = (uint32_t{1} << bits) - 1;
    int64_t next[int64_t{1} << kDigitBits];
    std::fill_n(next, mask + 1, 0);
    for (int64_t k = 0; k < count; ++k) ++next[(in[k].key >> shift) & mask];
    int64_t position = 0;
    for (uint32_t digit = 0; digit <= mask; ++digit) {
      position += std::exchange(next[digit], position);
    }
    for (int64_t k = 0; k < count; ++k) out[next[(in[k].key >> shift) & mask]++] = in[k];
  }

  // Step 3. Turns the counts of classes into first groups, then notes each group's class and start.
  void FindGroups() {
    for (int64_t bucket = 0; bucket < buckets_; ++bucket) {
      groups_ += std::exchange(first_group_[bucket], groups_);
    }
    classes_ = runtime_.Allocate<int64_t>(groups_);
    starts_ = runtime_.Allocate<int64_t>(groups_ + 1);
    ForEachBucket(4, [&](int64_t bucket, int64_t begin, int64_t end) {
      int64_t group = first_group_[bucket];
      for (int64_t k = begin; k < end; ++k) {
        if (!IsFirst(entries_, begin, k)) continue;
        starts_[group] = k;
        classes_[group++] = (bucket << shift_) | entries_[k].key;
      }
    });
    starts_[groups_] = count_;
  }

  Runtime& runtime_;
  int64_t count_;
  int shift_ = 0;
  int64_t buckets_ = 1;
  int64_t* bucket_start_ = nullptr;  // [buckets_ + 1]
  int64_t* first_group_ = nullptr;   // [buckets_]
  Entry* entries_ = nullptr;
  int64_t groups_ = 0;
  int64_t* classes_ = nullptr;  // [groups_]
  int64_t* starts_ = nullptr;   // [groups_ + 1]
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_CLASSES_CLASS_GROUPS_H_
