// SPDX-License-Identifier: Apache-2.0
// Checks of class tables on a device: rows of shards of every kind, and ranks of ids.
#ifndef TF_CANDSAMP_TESTS_CUDA_CHECKS_TABLE_CHECKS_H_
#define TF_CANDSAMP_TESTS_CUDA_CHECKS_TABLE_CHECKS_H_

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "cc/cuda/rows/row_table.h"
#include "cc/lib/rows/row_table.h"
#include "tests/cuda/checks/random_cases.h"

namespace candsamp {

// Gathers rows of random shards; some ids have none.
template <typename Backend>
std::string CheckGather(Backend& backend, RandomCases& cases, int64_t most_rows) {
  const int64_t depth = cases.Coin() ? 4 * (1 + cases.Below(20)) : 1 + cases.Below(30);
  const Partition partition = cases.Coin() ? Partition::kInTurn : Partition::kConsecutive;
  const int64_t shards = 1 + cases.Below(5), rows = cases.Size(most_rows);
  RowTable<float> table(depth, partition);
  std::vector<std::vector<float>> of_shards(shards);
  std::vector<const float*> on_device;
  for (int64_t k = 0; k < shards; ++k) {
    const int64_t count =
        partition == Partition::kInTurn ? RowsInTurn(rows, shards, k) : cases.Below(rows + 1);
    of_shards[k].resize(count * depth);
    for (float& value : of_shards[k]) value = static_cast<float>(cases.Below(1000));
    table.AddShard(of_shards[k].data(), count);
    on_device.push_back(backend.Upload(of_shards[k]));
  }
  std::vector<int64_t> ids(cases.Size(most_rows));
  for (int64_t& id : ids) id = cases.Below(table.ids() + 3) - 1;
  std::vector<float> want(ids.size() * depth);
  for (size_t k = 0; k < ids.size(); ++k) {
    if (ids[k] < 0 || ids[k] >= table.ids()) continue;
    std::copy_n(table.Row(ids[k]), depth, want.begin() + static_cast<int64_t>(k) * depth);
  }
  // The first shard may have no rows, so OneShard would take its memory for that of no table.
  DeviceRowTable<float> device = {depth,   table.ids(), on_device[0], shards,
                                  nullptr, nullptr,     false};
  device.shards = backend.Upload(on_device);
  device.first_row = backend.Upload(table.first_row());
  device.in_turn = partition == Partition::kInTurn;
  float* const out = backend.Upload(std::vector<float>(want.size(), -7));
  backend.Gather(device, backend.Upload(ids), static_cast<int64_t>(ids.size()), out);
  const std::string problem =
      Difference("rows", want, backend.Download(out, static_cast<int64_t>(want.size())));
  backend.Free();
  return problem;
}

// The distinct ids in order, and of each id its number among them.
template <typename Backend>
std::string CheckRanks(Backend& backend, RandomCases& cases, int64_t most) {
  const int64_t limit = cases.Size(most);
  std::vector<int64_t> ids(cases.Size(most));
  for (int64_t& id : ids) id = cases.Below(limit + 2) - 1;
  std::map<int64_t, int64_t> ranks;
  const auto known = [&](int64_t id) { return id < 0 || id > limit ? limit : id; };
  for (const int64_t id : ids) ranks[known(id)] = 0;
  std::vector<int64_t> distinct, want;
  for (auto& [id, rank] : ranks) {
    rank = static_cast<int64_t>(distinct.size());
    distinct.push_back(id);
  }
  for (const int64_t id : ids) want.push_back(ranks[known(id)]);
  const int64_t count = static_cast<int64_t>(ids.size());
  int64_t* const found = backend.Upload(std::vector<int64_t>(distinct.size(), -7));
  int64_t* const of_each = backend.Upload(std::vector<int64_t>(count, -7));
  const int64_t number = backend.Rank(backend.Upload(ids), count, limit, found, of_each);
  std::string problem =
      Difference("number", std::vector<int64_t>{static_cast<int64_t>(distinct.size())},
                 std::vector<int64_t>{number});
  if (problem.empty()) {
    problem = Difference("ids", distinct, backend.Download(found, number)) +
              Difference(" ranks", want, backend.Download(of_each, count));
  }
  backend.Free();
  return problem;
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CUDA_CHECKS_TABLE_CHECKS_H_
