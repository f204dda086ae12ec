#include "platform/linux/netlink_query.h"

#include <gtest/gtest.h>
#include <linux/rtnetlink.h>

#include <cerrno>

#include "platform/linux/route_list.h"
#include "tests/unit/platform/linux/host_commands.h"

namespace fireline::platform {
namespace {

constexpr int kRoutes = 4000;  // several buffers of netlink's

void make_routes() {
  run("ip link set lo up; for i in $(seq 0 15); do for j in $(seq 0 249); do echo route add 10.77.$i.$j/32 dev lo "
      "table 99; "
      "done; done | ip -batch -");
}

nlmsghdr* ask_for_routes(NetlinkQuery& query) {
  nlmsghdr* header = query.request(RTM_GETROUTE);
  header->nlmsg_flags |= NLM_F_DUMP;
  static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(rtmsg)))->rtm_family = AF_INET;
  return header;
}

int count(const nlmsghdr*, void* data) {
  ++*static_cast<int*>(data);
  return MNL_CB_OK;
}

// Leaves a list of the kernel's half read.
void break_off(NetlinkQuery& query) {
  ask_for_routes(query);
  EXPECT_EQ(query.ask(
                [](const nlmsghdr*, void*) {
                  errno = ECANCELED;
                  return MNL_CB_ERROR;
                },
                nullptr),
            ECANCELED);
}

TEST(NetlinkQuery, AListThatWasBrokenOffDoesNotSpoilTheNext) {
  io::in_network_namespace([] {
    make_routes();
    auto query = NetlinkQuery::open();
    ASSERT_TRUE(query);
    int seen = 0;
    break_off(*query);
    ask_for_routes(*query);
    EXPECT_NE(query->ask(count, &seen), 0) << "the kernel lists one thing at a time: else this tests nothing";
    seen = 0;
    ask_for_routes(*query);
    EXPECT_EQ(query->list(count, &seen, [](void* data) { *static_cast<int*>(data) = 0; }), 0);
    EXPECT_GE(seen, kRoutes);
  });
}

// The kernel tells in the message that ends a list why it ends. Of a table that it does not have there is nothing to
// list; what it had no memory for ends in the same way, behind some part.
TEST(NetlinkQuery, AListThatTheKernelGivesUpIsAnError) {
  io::in_network_namespace([] {
    auto query = NetlinkQuery::open();
    ASSERT_TRUE(query);
    mnl_attr_put_u32(ask_for_routes(*query), RTA_TABLE, 98);
    int seen = 0;
    EXPECT_EQ(query->list(count, &seen, [](void*) {}), ENOENT);
    EXPECT_EQ(seen, 0);
    ask_for_routes(*query);
    EXPECT_EQ(query->list(count, &seen, [](void*) {}), 0);
  });
}

TEST(NetlinkQuery, LongListsAreWholeAndFilteredByTable) {
  io::in_network_namespace([] {
    make_routes();
    auto query = NetlinkQuery::open();
    ASSERT_TRUE(query);
    const auto all = [](const Route&) { return true; };
    EXPECT_EQ(list_routes(*query, 99, all)->size(), static_cast<std::size_t>(kRoutes));
    EXPECT_TRUE(list_routes(*query, 98, all)->empty()) << "a table that does not exist is empty";
    EXPECT_TRUE(list_routes(*query, 99, [](const Route&) { return false; })->empty());
  });
}

}  // namespace
}  // namespace fireline::platform
