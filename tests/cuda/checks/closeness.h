// SPDX-License-Identifier: Apache-2.0
// Compares sums of floating-point numbers, whose order no two devices share, by the error that the
// CPU's own have against a reference in double.
#ifndef TF_CANDSAMP_TESTS_CUDA_CHECKS_CLOSENESS_H_
#define TF_CANDSAMP_TESTS_CUDA_CHECKS_CLOSENESS_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iomanip>
#include <sstream>
#include <string>
#include <vector>

#include "cc/lib/core/half.h"

namespace candsamp {

template <typename T>
std::vector<double> InDouble(const std::vector<T>& values) {
  std::vector<double> out(values.size());
  std::transform(values.begin(), values.end(), out.begin(),
                 [](T value) { return static_cast<double>(Widen(value)); });
  return out;
}

template <typename T>
std::vector<Accumulator<T>> Wide(const std::vector<T>& values) {
  std::vector<Accumulator<T>> out(values.size());
  std::transform(values.begin(), values.end(), out.begin(), [](T value) { return Widen(value); });
  return out;
}

template <typename T>
std::vector<T> NarrowAll(const std::vector<double>& values) {
  std::vector<T> out(values.size());
  std::transform(values.begin(), values.end(), out.begin(), [](double value) {
    T narrow;
    Narrow(static_cast<Accumulator<T>>(value), &narrow);
    return narrow;
  });
  return out;
}

// How far rounding alone may take a result from the reference, of the largest value. A block of one
// lane, on the host, adds a segment's 512 values one after the other.
template <typename T>
constexpr double kRounding = sizeof(T) == 8   ? 4e-13
                             : sizeof(T) == 4 ? 1e-5
                                              : 1.0 / 128;

// Returns the first difference, or nothing. Infinities and NaNs must be where the reference has
// them.
inline std::string Closeness(const std::string& what, const std::vector<double>& reference,
                             const std::vector<double>& of_cpu,
                             const std::vector<double>& of_device, double rounding) {
  if (of_device.size() != reference.size()) return what + " has another size. ";
  double scale = 1, cpu_error = 0;  // inputs are about 1, and some results cancel
  for (size_t k = 0; k < reference.size(); ++k) {
    if (!std::isfinite(reference[k])) continue;
    scale = std::max(scale, std::abs(reference[k]));
    const double error = std::abs(of_cpu[k] - reference[k]);
    if (std::isfinite(error)) cpu_error = std::max(cpu_error, error);
  }
  const double most = 4 * cpu_error + rounding * scale;
  for (size_t k = 0; k < reference.size(); ++k) {
    const double got = of_device[k], want = reference[k];
    const bool same = std::isfinite(want) ? std::abs(got - want) <= most
                      : std::isnan(want)  ? std::isnan(got)
                                          : got == want;
    if (same) continue;
    std::ostringstream difference;
    difference << std::setprecision(9) << what << "[" << k << "] is " << got << ", on the CPU "
               << of_cpu[k] << ", in double " << want << ", the bound is " << most << ". ";
    return difference.str();
  }
  return "";
}

}  // namespace candsamp

#endif  // TF_CANDSAMP_TESTS_CUDA_CHECKS_CLOSENESS_H_
