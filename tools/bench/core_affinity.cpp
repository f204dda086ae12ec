#include "tools/bench/core_affinity.h"

#include <pthread.h>

namespace fireline::bench {

std::vector<unsigned> usable_cores() {
  cpu_set_t usable;
  CPU_ZERO(&usable);
  (void)pthread_getaffinity_np(pthread_self(), sizeof usable, &usable);
  std::vector<unsigned> cores;
  for (unsigned core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &usable)) cores.push_back(core);
  }
  if (cores.empty()) cores.push_back(0);  // more cores than the set has room for
  return cores;
}

cpu_set_t only(unsigned core) noexcept {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  return one;
}

OnCore::OnCore(std::size_t which) {
  (void)pthread_getaffinity_np(pthread_self(), sizeof before_, &before_);
  const std::vector<unsigned> cores = usable_cores();
  const cpu_set_t one = only(cores[which % cores.size()]);
  (void)pthread_setaffinity_np(pthread_self(), sizeof one, &one);
}

OnCore::~OnCore() {
  (void)pthread_setaffinity_np(pthread_self(), sizeof before_, &before_);
}

}  // namespace fireline::bench
