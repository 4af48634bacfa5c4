// SPDX-License-Identifier: Apache-2.0
// Checks of the row optimizers on a device.
#ifndef TF_CANDSAMP_TESTS_CUDA_CHECKS_OPTIMIZER_CHECKS_H_
#define TF_CANDSAMP_TESTS_CUDA_CHECKS_OPTIMIZER_CHECKS_H_

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "cc/cuda/optimizers/launchers.h"
#include "cc/lib/optimizers/row_formulas.h"
#include "cc/lib/optimizers/update_rows.h"
#include "tests/cuda/checks/closeness.h"
#include "tests/cuda/checks/random_cases.h"

namespace candsamp {

struct RowUpdateCase {
  int64_t num_rows, depth;
  std::vector<int64_t> ids;  // some may be no rows
  std::vector<double> values, gradients;
  std::vector<std::vector<double>> slots;
};

template <typename W, typename Formula>
struct UpdatedTable {
  std::vector<W> values;
  std::vector<std::vector<Accumulator<W>>> slots;

  explicit UpdatedTable(const RowUpdateCase& c) : values(NarrowAll<W>(c.values)) {
    for (int s = 0; s < Formula::kSlots; ++s) {
      slots.push_back(NarrowAll<Accumulator<W>>(c.slots[s]));
    }
  }

  // As the CPU updates the rows that exist.
  void Update(const RowUpdateCase& c, const Formula& formula) {
    using A = Accumulator<W>;
    std::vector<int64_t> ids;
    std::vector<A> gradients;
    for (size_t k = 0; k < c.ids.size(); ++k) {
      if (c.ids[k] < 0 || c.ids[k] >= c.num_rows) continue;
      ids.push_back(c.ids[k]);
      for (int64_t d = 0; d < c.depth; ++d) {
        gradients.push_back(static_cast<A>(c.gradients[k * c.depth + d]));
      }
    }
    OptimizedTable<W> table = {values.data(), {}, c.num_rows, c.depth};
    for (int s = 0; s < Formula::kSlots; ++s) table.slots[s] = slots[s].data();
    SerialRuntime runtime;
    UpdateRows(runtime, formula, table, ids.data(), static_cast<int64_t>(ids.size()),
               gradients.data());
  }
};

// The formula's numbers, the same in each type.
template <template <typename> class Of, typename A>
Of<A> FormulaOf() {
  // All formulas are structs of nothing but numbers of their type, which need no more than these.
  constexpr double kNumbers[] = {0.25, 0.75, 0.5, 0.125, 0.0625, 0.25};
  Of<A> formula = {};
  static_assert(sizeof formula <= 6 * sizeof(A));
  A numbers[6];
  for (int k = 0; k < 6; ++k) numbers[k] = static_cast<A>(kNumbers[k]);
  std::memcpy(static_cast<void*>(&formula), numbers, sizeof formula);
  return formula;
}

// Makes all NaNs one: their signs differ.
inline std::vector<double> OneNan(std::vector<double> values) {
  for (double& value : values) {
    if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
  }
  return values;
}

template <typename W, template <typename> class Of, typename Backend>
std::string CheckRowUpdateOf(Backend& backend, const RowUpdateCase& c) {
  using A = Accumulator<W>;
  using Formula = Of<A>;
  const Formula formula = FormulaOf<Of, A>();
  UpdatedTable<double, Of<double>> reference(c);
  reference.Update(c, FormulaOf<Of, double>());
  UpdatedTable<W, Formula> before(c), of_cpu(c);
  of_cpu.Update(c, formula);

  DeviceRowUpdate<W> rows = {};
  rows.values = backend.Upload(before.values);
  for (int s = 0; s < Formula::kSlots; ++s) rows.slots[s] = backend.Upload(before.slots[s]);
  rows.num_rows = c.num_rows;
  rows.depth = c.depth;
  rows.ids = backend.Upload(c.ids);
  rows.count = static_cast<int64_t>(c.ids.size());
  rows.gradients = backend.Upload(NarrowAll<A>(c.gradients));
  backend.UpdateTable(formula, rows);

  std::string problem;
  const bool distinct = std::set<int64_t>(c.ids.begin(), c.ids.end()).size() == c.ids.size();
  const auto compare = [&](const std::string& what, const std::vector<double>& want,
                           const auto& cpu, const auto* device) {
    const auto got = InDouble(backend.Download(device, static_cast<int64_t>(cpu.size())));
    // One formula, and no contraction: a row that occurs once has the CPU's bits. Roots of any
    // power are the library's.
    if (distinct && !std::is_same_v<Formula, FtrlFormula<A, false>>) {
      problem += Difference(what.c_str(), OneNan(InDouble(cpu)), OneNan(got));
    } else {
      problem += Closeness(what, want, InDouble(cpu), got, kRounding<W>);
    }
  };
  compare("values", reference.values, of_cpu.values, rows.values);
  for (int s = 0; s < Formula::kSlots; ++s) {
    compare("slot " + std::to_string(s), reference.slots[s], of_cpu.slots[s], rows.slots[s]);
  }
  backend.Free();
  return problem;
}

template <typename A>
using PlainMomentum = MomentumFormula<A, false>;
template <typename A>
using NesterovMomentum = MomentumFormula<A, true>;
template <typename A>
using PlainRmsprop = RmspropFormula<A, false, false>;
template <typename A>
using FullRmsprop = RmspropFormula<A, true, true>;
template <typename A>
using PlainAdam = AdamFormula<A, false>;
template <typename A>
using Amsgrad = AdamFormula<A, true>;
template <typename A>
using FtrlOfRoots = FtrlFormula<A, true>;
template <typename A>
using FtrlOfPowers = FtrlFormula<A, false>;

template <typename W, typename Backend>
std::string CheckRowUpdateOfType(Backend& backend, const RowUpdateCase& c, int64_t formula) {
  switch (formula % 10) {
    case 0:
      return CheckRowUpdateOf<W, SgdFormula>(backend, c);
    case 1:
      return CheckRowUpdateOf<W, PlainMomentum>(backend, c);
    case 2:
      return CheckRowUpdateOf<W, NesterovMomentum>(backend, c);
    case 3:
      return CheckRowUpdateOf<W, AdagradFormula>(backend, c);
    case 4:
      return CheckRowUpdateOf<W, PlainRmsprop>(backend, c);
    case 5:
      return CheckRowUpdateOf<W, FullRmsprop>(backend, c);
    case 6:
      return CheckRowUpdateOf<W, PlainAdam>(backend, c);
    case 7:
      return CheckRowUpdateOf<W, Amsgrad>(backend, c);
    case 8:
      return CheckRowUpdateOf<W, FtrlOfRoots>(backend, c);
    default:
      return CheckRowUpdateOf<W, FtrlOfPowers>(backend, c);
  }
}

inline RowUpdateCase RandomRowUpdate(RandomCases& cases, int64_t most_ids) {
  RowUpdateCase c = {};
  c.num_rows = cases.Size(most_ids);
  c.depth = cases.Coin() ? 8 * (1 + cases.Below(9)) : 1 + cases.Below(70);
  const int64_t count = cases.Below(8) ? cases.Size(most_ids) : 0;
  const bool distinct = cases.Coin(), hot = cases.Coin();
  for (int64_t k = 0; k < count; ++k) {
    if (distinct) {
      if (k < c.num_rows) c.ids.push_back((k * 7 + 3) % c.num_rows);
    } else {
      c.ids.push_back(hot && cases.Coin() ? c.num_rows / 2 : cases.Below(c.num_rows));
    }
  }
  if (distinct) {
    std::vector<int64_t> once;
    std::set<int64_t> seen;
    for (const int64_t id : c.ids) {
      if (seen.insert(id).second) once.push_back(id);
    }
    c.ids = once;
  } else if (!c.ids.empty() && cases.Coin()) {
    c.ids[0] = c.num_rows;
    c.ids.back() = INT64_MIN;
  }
  const auto sixteenths = [&](int64_t size, int64_t least, int64_t most) {
    std::vector<double> values(size);
    for (double& value : values) {
      value = static_cast<double>(least + cases.Below(most - least + 1)) / 16;
    }
    return values;
  };
  const int64_t size = c.num_rows * c.depth;
  c.values = sixteenths(size, -16, 16);
  c.gradients = sixteenths(static_cast<int64_t>(c.ids.size()) * c.depth, -16, 16);
  for (int s = 0; s < kMostTableSlots; ++s) c.slots.push_back(sixteenths(size, 16, 48));
  return c;
}

template <typename T, typename Backend>
std::string CheckSumOfRows(Backend& backend, const RowUpdateCase& c) {
  std::map<int64_t, std::vector<double>> want;
  for (size_t k = 0; k < c.ids.size(); ++k) {
    const int64_t id = c.ids[k] < 0 || c.ids[k] > c.num_rows ? c.num_rows : c.ids[k];
    auto& sum = want[id];
    sum.resize(c.depth);
    for (int64_t d = 0; d < c.depth; ++d) sum[d] += c.gradients[k * c.depth + d];
  }
  std::vector<int64_t> ids;
  std::vector<double> sums;
  for (const auto& [id, sum] : want) {
    ids.push_back(id);
    sums.insert(sums.end(), sum.begin(), sum.end());
  }
  int64_t* const device_ids = backend.Upload(std::vector<int64_t>(ids.size(), -7));
  T* const device_sums = backend.Upload(std::vector<T>(sums.size()));
  const int64_t distinct =
      backend.SumRows(backend.Upload(c.ids), static_cast<int64_t>(c.ids.size()), c.num_rows,
                      backend.Upload(NarrowAll<T>(c.gradients)), c.depth, device_ids, device_sums);
  std::string problem;
  if (distinct != static_cast<int64_t>(ids.size())) {
    problem =
        "there are " + std::to_string(distinct) + " rows, on the CPU " + std::to_string(ids.size());
  } else {
    const std::vector<double> narrow = InDouble(NarrowAll<T>(sums));
    problem = Difference("rows", ids, backend.Download(device_ids, distinct)) +
              Closeness(" sums", sums, narrow,
                        InDouble(backend.Download(device_sums, distinct * c.depth)), kRounding<T>);
  }
  backend.Free();
  return problem;
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CUDA_CHECKS_OPTIMIZER_CHECKS_H_
