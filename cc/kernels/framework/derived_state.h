// What is derived from a variable, shared by all ops that use the variable, for as long as it
// lives.
#ifndef TF_CANDSAMP_CC_KERNELS_FRAMEWORK_DERIVED_STATE_H_
#define TF_CANDSAMP_CC_KERNELS_FRAMEWORK_DERIVED_STATE_H_

#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "tensorflow/core/framework/resource_var.h"
#include "tensorflow/core/platform/refcount.h"

namespace candsamp {

// One State for each variable that was asked for. It is found by the variable alone: there is no
// handle to be created, saved or copied beside the variable's own.
template <typename State>
class DerivedStates {
 public:
  // The state of a variable, made from nothing at the first call. REQUIRES: a reference to it.
  static std::shared_ptr<State> Of(tensorflow::Var* variable) {
    DerivedStates& all = Get();
    std::lock_guard<std::mutex> lock(all.mutex_);
    const auto found = all.entries_.find(variable);
    if (found != all.entries_.end()) return found->second.state;
    Entry entry = {std::make_shared<State>(),
                   Weak(variable, [variable] { Get().Erase(variable); })};
    return all.entries_.emplace(variable, std::move(entry)).first->second.state;
  }

 private:
  using Weak = tensorflow::core::WeakPtr<tensorflow::Var>;
  struct Entry {
    std::shared_ptr<State> state;
    Weak variable;  // calls Erase before the variable is deleted, and its address used again
  };

  // Never deleted: variables may outlive static objects.
  static DerivedStates& Get() {
    static DerivedStates* const all = new DerivedStates;
    return *all;
  }

  void Erase(tensorflow::Var* variable) {
    typename std::unordered_map<tensorflow::Var*, Entry>::node_type erased;  // without the lock
    std::lock_guard<std::mutex> lock(mutex_);
    erased = entries_.extract(variable);
  }

  std::mutex mutex_;
  std::unordered_map<tensorflow::Var*, Entry> entries_;
};

}  // namespace candsamp

#endif  // TF_CANDSAMP_CC_KERNELS_FRAMEWORK_DERIVED_STATE_H_
