#include "platform/linux/netlink_treatment.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace fireline::platform {
namespace {

using enum NetlinkOperation;

struct Row {
  const char* rule;
  NetlinkOperation operation;
  int code;
  Treatment expected;
};

// Platform specification 2.6.
const Row kRows[] = {
    {"a rule that exists is as wanted", add_rule, EEXIST, Treatment::ok},
    {"a rule that fails stops its family", add_rule, EOPNOTSUPP, Treatment::stop_family},
    {"a rule without privilege stops its family", add_rule, EPERM, Treatment::stop_family},
    {"a route that exists is as wanted", add_route, EEXIST, Treatment::ok},
    {"a route of a version of IP that the host lacks is no matter", add_route, EOPNOTSUPP, Treatment::ok},
    {"a route that is refused is a warning", add_route, EINVAL, Treatment::warn},
    {"a route through an interface that is down is a warning", add_route, ENETDOWN, Treatment::warn},
    {"a route that is gone is deleted", delete_route, ESRCH, Treatment::ok},
    {"a route that never was is deleted", delete_route, ENOENT, Treatment::ok},
    {"a route that cannot be deleted is a warning", delete_route, EPERM, Treatment::warn},
    {"an address that exists works", add_address, EEXIST, Treatment::ok},
    {"an address that fails switches its family off", add_address, EACCES, Treatment::stop_family},
    {"an address that is gone is deleted", delete_address, EADDRNOTAVAIL, Treatment::ok},
    {"an address that cannot be deleted is fatal", delete_address, EBUSY, Treatment::fatal},
    {"the MTU must be set", set_mtu, EINVAL, Treatment::fatal},
    {"the link must come up", set_up, EPERM, Treatment::fatal},
    {"the queue length is worth a warning", set_queue_length, EPERM, Treatment::warn},
    {"address generation fails without IPv6", set_address_generation, EAFNOSUPPORT, Treatment::debug},
    {"a copied route that exists is as wanted", copy_link_route, EEXIST, Treatment::ok},
    {"a copied route that is refused is for a developer", copy_link_route, EINVAL, Treatment::debug},
    {"success is success", add_route, 0, Treatment::ok},
};

TEST(NetlinkTreatment, FollowsTheErrorTableInEitherSign) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.rule);
    EXPECT_EQ(treatment_of(row.operation, row.code), row.expected);
    EXPECT_EQ(treatment_of(row.operation, -row.code), row.expected) << "as the kernel's messages carry it";
  }
}

}  // namespace
}  // namespace fireline::platform
