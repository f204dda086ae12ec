#include "tests/sim/link.h"

#include <algorithm>

namespace fireline::sim {
namespace {

constexpr std::size_t kHeadersV4 = 20 + 8;
constexpr std::size_t kHeadersV6 = 40 + 8;

void arrive(std::vector<Arrival>& arrivals, std::size_t first, Instant time, bool join, const Train& envelope,
            ConstBytes datagram, std::uint64_t number) {
  if (!join || arrivals.size() == first || arrivals.back().time != time ||
      !arrivals.back().train.takes(datagram.size())) {
    arrivals.push_back({time, envelope});
  }
  arrivals.back().train.append(datagram, number);
}

std::string milliseconds(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) + " ms";
}

}  // namespace

std::string LinkOptions::describe() const {
  std::string text = milliseconds(delay);
  if (jitter != Duration::zero()) text += " +" + milliseconds(jitter) + " jitter";
  if (loss_per_mille != 0) text += ", loss " + std::to_string(loss_per_mille) + "/1000";
  if (burst_begin_per_mille != 0) text += ", bursts of loss " + std::to_string(burst_begin_per_mille) + "/1000";
  if (reorder_per_mille != 0) text += ", reorders " + std::to_string(reorder_per_mille) + "/1000";
  if (duplicate_per_mille != 0) text += ", duplicates " + std::to_string(duplicate_per_mille) + "/1000";
  if (mtu != 1500) text += ", MTU " + std::to_string(mtu);
  if (!keeps_trains) text += ", splits trains";
  return text;
}

void Link::carry(Instant now, const Train& train, std::vector<Arrival>& arrivals) {
  const Train envelope = train.envelope();
  const std::size_t first = arrivals.size();
  Instant time = now + options_.delay;
  if (options_.jitter != Duration::zero()) time += dice_.between(Duration::zero(), options_.jitter);
  time = last_ = std::max(time, last_);
  for (std::size_t i = 0; i < train.count(); ++i) {
    const ConstBytes datagram = train.datagram(i);
    if (!passes(train, datagram.size())) continue;
    const Instant at = dice_.chance(options_.reorder_per_mille) ? time + options_.reorder_delay : time;
    arrive(arrivals, first, at, options_.keeps_trains, envelope, datagram, train.numbers[i]);
    if (!dice_.chance(options_.duplicate_per_mille)) continue;
    ++duplicated_;
    arrive(arrivals, first, at, false, envelope, datagram, train.numbers[i]);
  }
}

bool Link::passes(const Train& train, std::size_t bytes) {
  if (!up_) return drop(LinkDrop::down), false;
  const std::size_t headers = train.destination.address.is_v4() ? kHeadersV4 : kHeadersV6;
  if (bytes + headers > options_.mtu) return drop(LinkDrop::mtu), false;
  in_burst_ = in_burst_ ? !dice_.chance(options_.burst_end_per_mille) : dice_.chance(options_.burst_begin_per_mille);
  if (in_burst_) return drop(LinkDrop::burst), false;
  if (dice_.chance(options_.loss_per_mille)) return drop(LinkDrop::loss), false;
  return true;
}

}  // namespace fireline::sim
