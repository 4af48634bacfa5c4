// SPDX-License-Identifier: Apache-2.0
// The part of Runtime that all runtimes share.
#include "cc/lib/core/runtime.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <new>

#include "tests/cc/testing/test_runtime.h"

namespace candsamp {
namespace {

TEST(RuntimeTest, MoreBytesThanCanBeCountedAreOutOfMemory) {
  TestRuntime runtime = TestRuntime::Whole();
  EXPECT_THROW(runtime.Allocate<int64_t>(int64_t{1} << 60), std::bad_alloc);
  EXPECT_THROW(runtime.Allocate<int64_t>(std::numeric_limits<int64_t>::max()), std::bad_alloc);
  EXPECT_EQ(runtime.allocations(), 0);
}

}  // namespace
}  // namespace candsamp
