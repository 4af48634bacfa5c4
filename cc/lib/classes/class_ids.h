// SPDX-License-Identifier: Apache-2.0
// Checks class ids against the classes that there are.
#ifndef TF_CANDSAMP_CC_LIB_CLASSES_CLASS_IDS_H_
#define TF_CANDSAMP_CC_LIB_CLASSES_CLASS_IDS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace candsamp {

// Ids must be in [0, value). The other members say where the limit comes from, as in
// "[0, num_classes = 5)" and "[0, 5), the rows of weights".
struct ClassLimit {
  int64_t value;
  const char* name = "";    // as "num_classes = "
  const char* reason = "";  // as ", the rows of weights"
};

// Describes the place of the id at a position, as " in row 2".
using DescribePlace = std::function<std::string(int64_t position)>;

// Returns an empty string, or a sentence that names the argument, the limit, the first id that is
// not below it, and its place.
std::string CheckClassIds(std::string_view name, const int64_t* ids, int64_t count,
                          const ClassLimit& limit, const DescribePlace& describe);

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_LIB_CLASSES_CLASS_IDS_H_
