// SPDX-License-Identifier: Apache-2.0
// Keeps the state derived from a variable, as an alias table from weights. All ops that use the
// variable share the state, which lives as long as the variable.
#ifndef TF_CANDSAMP_CC_KERNELS_FRAMEWORK_DERIVED_STATE_H_
#define TF_CANDSAMP_CC_KERNELS_FRAMEWORK_DERIVED_STATE_H_

#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "cc/kernels/framework/tf_names.h"
#include "tensorflow/core/platform/refcount.h"

namespace candsamp {

// One State for each variable that an op asked for. The variable alone is the key, so nobody has to
// create, save or copy a handle of the state.
template <typename State>
class DerivedStates {
 public:
  // Returns the state of a variable; the first call makes an empty one. REQUIRES: the caller holds
  // a reference to the variable.
  static std::shared_ptr<State> Of(Var* variable) {
    DerivedStates& all = Get();
    std::lock_guard<std::mutex> lock(all.mutex_);
    const auto found = all.entries_.find(variable);
    if (found != all.entries_.end()) return found->second.state;
    Entry entry = {std::make_shared<State>(),
                   Weak(variable, [variable] { Get().Erase(variable); })};
    return all.entries_.emplace(variable, std::move(entry)).first->second.state;
  }

 private:
  using Weak = tensorflow::core::WeakPtr<Var>;
  struct Entry {
    std::shared_ptr<State> state;
    Weak variable;  // calls Erase before the variable's address can be used again
  };

  // Never deleted: variables may outlive static objects.
  static DerivedStates& Get() {
    static DerivedStates* const all = new DerivedStates;
    return *all;
  }

  void Erase(Var* variable) {
    typename std::unordered_map<Var*, Entry>::node_type erased;  // without the lock
    std::lock_guard<std::mutex> lock(mutex_);
    erased = entries_.extract(variable);
  }

  std::mutex mutex_;
  std::unordered_map<Var*, Entry> entries_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_FRAMEWORK_DERIVED_STATE_H_
