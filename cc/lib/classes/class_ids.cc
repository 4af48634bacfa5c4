// SPDX-License-Identifier: Apache-2.0
#include "cc/lib/classes/class_ids.h"

namespace candsamp {

std::string CheckClassIds(std::string_view name, const int64_t* ids, int64_t count,
                          const ClassLimit& limit, const DescribePlace& describe) {
  // As unsigned numbers negative ids are above every limit. No branch: the loop is vectorised.
  const uint64_t end = static_cast<uint64_t>(limit.value);
  bool valid = true;
  for (int64_t k = 0; k < count; ++k) valid &= static_cast<uint64_t>(ids[k]) < end;
  if (valid) return "";
  int64_t bad = 0;
  while (static_cast<uint64_t>(ids[bad]) < end) ++bad;
  return std::string(name) + " must hold class ids in [0, " + limit.name +
         std::to_string(limit.value) + ")" + limit.reason + ", got " + std::to_string(ids[bad]) +
         describe(bad);
}

}  // namespace candsamp
