// What a daemon gives up after its set-up, and the descriptor limit it raises before.
// Threads: capabilities belong to threads: call drop_privileges() in each thread that exists, or before there are
// others.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>

namespace fireline::platform {

// Asked before anything else is tried: a sentence when the calling thread lacks CAP_NET_ADMIN. Root in a container may.
[[nodiscard]] std::optional<std::string> missing_network_admin();

// Raises the soft limit of descriptors, and the hard one where that is allowed, to at least `wanted`.
// A sentence when fewer are there in the end.
[[nodiscard]] std::optional<std::string> raise_descriptor_limit(std::uint64_t wanted);

// The soft limit in force.
[[nodiscard]] std::uint64_t descriptor_limit() noexcept;

// Lets the kernel's table of descriptors hold `wanted` of them, or as many as the limit allows. The table doubles when
// it is full, and with several threads the one that opens the descriptor then waits for an RCU grace period, 10 ms and
// more: nothing for a thread that forwards packets. False: the table stays as it is.
bool grow_descriptor_table(std::uint64_t wanted) noexcept;

// Empties the calling thread's capability sets, ambient and bounding ones included, and sets no_new_privs, so that no
// program it might start regains any. Idempotent. A sentence when the kernel refuses to.
// `kept`: capabilities (CAP_NET_ADMIN…) that stay effective for as long as the thread lives, where it has them.
[[nodiscard]] std::optional<std::string> drop_privileges(std::initializer_list<int> kept = {});

// Whether the calling thread may use that capability at this moment.
[[nodiscard]] bool has_capability(int capability) noexcept;

}  // namespace fireline::platform
