// SPDX-License-Identifier: Apache-2.0
// Makes allocations of tf_candsamp's op library fail, in a process that has loaded it before this.
//
// Takes the place of what the op library allocates with: operator new, the tensors of an
// OpKernelContext, and tasks for TensorFlow's threads. Everything is passed on but what is to fail.
#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <execinfo.h>
#include <link.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/platform/threadpool.h"

namespace {

using tensorflow::DataType;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using tensorflow::thread::ThreadPool;

// A library that is loaded.
class Library {
 public:
  Library() = default;
  explicit Library(const char* name) {
    std::pair<const char*, Library*> search = {name, this};
    dl_iterate_phdr(
        [](dl_phdr_info* info, size_t, void* data) {
          const auto& [name, library] = *static_cast<std::pair<const char*, Library*>*>(data);
          if (!std::strstr(info->dlpi_name, name)) return 0;
          library->base_ = info->dlpi_addr;
          for (const auto* h = info->dlpi_phdr; h != info->dlpi_phdr + info->dlpi_phnum; ++h) {
            const uintptr_t begin = info->dlpi_addr + h->p_vaddr;
            if (h->p_type == PT_DYNAMIC) library->dynamic_ = reinterpret_cast<ElfW(Dyn)*>(begin);
            if (h->p_type != PT_LOAD || !(h->p_flags & PF_X)) continue;
            library->code_ = begin;
            library->code_end_ = begin + h->p_memsz;
          }
          return 1;
        },
        &search);
  }

  bool HasCode(const void* address) const {
    const auto at = reinterpret_cast<uintptr_t>(address);
    return at >= code_ && at < code_end_;
  }

  // Puts `to` in the place of the functions whose names begin like this, wherever the library has
  // their addresses: in tables of functions that it calls, or in those of virtual functions alone.
  // Returns how many addresses.
  int Redirect(const std::string& name, void* to, bool virtual_only = false) const {
    const auto* symbols = static_cast<const ElfW(Sym)*>(Find(DT_SYMTAB));
    const auto* names = static_cast<const char*>(Find(DT_STRTAB));
    int found = 0;
    for (const auto& [table, bytes] : {std::pair{DT_RELA, DT_RELASZ}, {DT_JMPREL, DT_PLTRELSZ}}) {
      const auto* entry = static_cast<const ElfW(Rela)*>(Find(table));
      for (const auto* end = entry + Size(bytes) / sizeof *entry; entry != end; ++entry) {
        const auto type = ELF64_R_TYPE(entry->r_info);
        const bool called = type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT;
        if (type != R_X86_64_64 && (virtual_only || !called)) continue;
        const char* symbol = names + symbols[ELF64_R_SYM(entry->r_info)].st_name;
        if (Readable(symbol).rfind(name, 0) != 0) continue;
        Overwrite(reinterpret_cast<void**>(base_ + entry->r_offset), to);
        ++found;
      }
    }
    return found;
  }

 private:
  const void* Find(int tag) const { return reinterpret_cast<const void*>(Size(tag)); }
  size_t Size(int tag) const {
    for (const auto* d = dynamic_; d->d_tag != DT_NULL; ++d) {
      if (d->d_tag == tag) return d->d_un.d_val;
    }
    return 0;
  }

  static std::string Readable(const char* symbol) {
    // Not all of TensorFlow's.
    if (!std::strstr(symbol, "Schedule") && !std::strstr(symbol, "alloc") &&
        std::strncmp(symbol, "_Zn", 3) != 0) {
      return "";
    }
    int status;
    char* name = abi::__cxa_demangle(symbol, nullptr, nullptr, &status);
    const std::string readable = status == 0 ? name : "";
    std::free(name);
    return readable;
  }

  static void Overwrite(void** address, void* to) {
    constexpr uintptr_t kPage = 4096;
    void* const page =
        reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(address) / kPage * kPage);
    mprotect(page, kPage, PROT_READ | PROT_WRITE);
    *address = to;
  }

  uintptr_t base_ = 0, code_ = 0, code_end_ = 0;
  const ElfW(Dyn) * dynamic_ = nullptr;
};

Library op_library, standard_library;

std::atomic<bool> armed{false};
std::atomic<int64_t> allocations{0}, tasks{0}, failures{0};
int64_t first = 0, last = 0;

// Whether the op library has called, itself or through the C++ standard library.
bool IsOurs(const void* caller) {
  if (op_library.HasCode(caller)) return true;
  if (!standard_library.HasCode(caller)) return false;
  void* callers[16];
  const int depth = backtrace(callers, 16);
  int k = 0;
  while (k < depth && callers[k] != caller) ++k;
  while (k < depth && standard_library.HasCode(callers[k])) ++k;
  return k < depth && op_library.HasCode(callers[k]);
}

// Counts an allocation, and tells whether it is to fail.
bool Fails(const void* caller) {
  if (!armed || !IsOurs(caller)) return false;
  const int64_t number = ++allocations;
  if (number < first || number > last) return false;
  ++failures;
  return true;
}

absl::Status Exhausted() { return absl::ResourceExhaustedError("a test made this fail"); }

#define CALLER __builtin_return_address(0)

void* New(size_t size) {
  if (Fails(CALLER)) throw std::bad_alloc();
  return ::operator new(size);
}

void* NewArray(size_t size) {
  if (Fails(CALLER)) throw std::bad_alloc();
  return ::operator new[](size);
}

void Schedule(ThreadPool* pool, std::function<void()> task) {
  if (Fails(CALLER)) throw std::bad_alloc();
  tasks += armed;
  pool->Schedule(std::move(task));
}

absl::Status AllocateTemp(OpKernelContext* context, DataType type, const TensorShape& shape,
                          Tensor* tensor) {
  if (Fails(CALLER)) return Exhausted();
  return context->OpKernelContext::allocate_temp(type, shape, tensor);
}

absl::Status AllocateOutput(OpKernelContext* context, int index, const TensorShape& shape,
                            Tensor** tensor) {
  if (Fails(CALLER)) return Exhausted();
  return context->OpKernelContext::allocate_output(index, shape, tensor);
}

absl::Status AllocateNamedOutput(OpKernelContext* context, absl::string_view name,
                                 const TensorShape& shape, Tensor** tensor) {
  if (Fails(CALLER)) return Exhausted();
  return context->OpKernelContext::allocate_output(name, shape, tensor);
}

absl::Status ForwardOrAllocate(OpKernelContext* context, absl::Span<const int> inputs, int output,
                               const TensorShape& shape, Tensor** tensor, int* forwarded) {
  if (Fails(CALLER)) return Exhausted();
  return context->forward_input_or_allocate_output(inputs, output, shape, tensor, forwarded);
}

}  // namespace

extern "C" {

// To be called once. Returns how many kinds of allocation it has found: all are 7.
int TakePlaces() {
  op_library = Library("/libtf_candsamp.so");
  standard_library = Library("/libstdc++.so");
  const Library tensorflow("/libtensorflow_framework.so");
  void* unused[1];
  backtrace(unused, 1);  // it allocates when it is first called
  const auto redirect = [&](const std::string& name, auto* to) {
    void* const address = reinterpret_cast<void*>(to);
    const int called = op_library.Redirect(name, address);
    // The context's functions are virtual in TensorFlow 2.21, and were not in 2.15.
    return called + tensorflow.Redirect(name, address, true) > 0;
  };
  const std::string context = "tensorflow::OpKernelContext::";
  const std::string shape = "tensorflow::TensorShape const&, ";
  const std::string view = "std::basic_string_view<char, std::char_traits<char> >, ";
  standard_library.Redirect("operator new(unsigned long)", reinterpret_cast<void*>(&New));
  return redirect("operator new(unsigned long)", New) +
         redirect("operator new[](unsigned long)", NewArray) +
         redirect("tsl::thread::ThreadPool::Schedule(std::function<void ()>)", Schedule) +
         redirect(context + "allocate_temp(tensorflow::DataType, " + shape + "tensorflow::Tensor*)",
                  AllocateTemp) +
         redirect(context + "allocate_output(int, " + shape + "tensorflow::Tensor**)",
                  AllocateOutput) +
         redirect(context + "allocate_output(" + view + shape + "tensorflow::Tensor**)",
                  AllocateNamedOutput) +
         redirect(context + "forward_input_or_allocate_output(", ForwardOrAllocate);
}

// From now on the allocations first .. last fail, counted from 1; none if `last` is 0.
void ArmFailure(int64_t first_failure, int64_t last_failure) {
  allocations = tasks = failures = 0;
  first = first_failure;
  last = last_failure;
  armed = true;
}

// Returns how many allocations failed.
int64_t DisarmFailure() {
  armed = false;
  return failures;
}

// Since the last ArmFailure.
int64_t CountAllocations() { return allocations; }
int64_t CountTasks() { return tasks; }

}  // extern "C"
