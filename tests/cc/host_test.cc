// What every host does alike.
#include "cc/lib/host.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <new>

#include "tests/cc/test_host.h"

namespace candsamp {
namespace {

TEST(HostTest, MoreBytesThanCanBeCountedAreOutOfMemory) {
  TestHost host = TestHost::Whole();
  EXPECT_THROW(host.Allocate<int64_t>(int64_t{1} << 60), std::bad_alloc);
  EXPECT_THROW(host.Allocate<int64_t>(std::numeric_limits<int64_t>::max()), std::bad_alloc);
  EXPECT_EQ(host.allocations(), 0);
}

}  // namespace
}  // namespace candsamp
