// fireline-sim: runs the deterministic simulator over seeds. Exit code 1 when any violates an invariant, 2 behind a
// mistake in the command line.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <string>

#include "tests/sim/seed_search.h"
#include "tools/command_line/command_line.h"

namespace {

using namespace fireline;

std::uint64_t current_seed = 0;

// An assertion of the code under test ends the process: say which seed it was.
void tell_seed(int) {
  char text[64] = "aborted in seed ";
  char* end = std::to_chars(text + 16, text + sizeof text - 1, current_seed).ptr;
  *end++ = '\n';
  static_cast<void>(!write(STDERR_FILENO, text, static_cast<std::size_t>(end - text)));
}

double seconds_of(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

void summarise(const sim::SearchResult& result, double wall, double cpu) {
  const sim::RunStatistics& total = result.total;
  std::printf("%llu runs, %zu violations; %.0f simulated seconds, %.0f for each real one (%.1f s, %.1f s CPU)\n",
              static_cast<unsigned long long>(result.runs), result.findings.size(), seconds_of(total.simulated),
              seconds_of(total.simulated) / wall, wall, cpu);
  std::printf(
      "%llu connections, %llu datagrams, %llu of %llu inner packets delivered, %llu had to be and were; "
      "longest recovery %.1f s\n",
      static_cast<unsigned long long>(total.connections), static_cast<unsigned long long>(total.datagrams),
      static_cast<unsigned long long>(total.payloads_delivered), static_cast<unsigned long long>(total.payloads_sent),
      static_cast<unsigned long long>(total.payloads_due), seconds_of(total.longest_recovery));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Runs client, gateway and relays in a simulated network, one scenario per seed.", "fireline-sim");
  std::string range;
  std::uint64_t seed = 0;
  unsigned minutes = 60;
  unsigned findings_max = 10;
  bool trace = false, whole = false, quiet = false;
  sim::SearchOptions options;
  app.add_option("--seeds", range, "FROM-TO, both included");
  app.add_option("--seed", seed, "one seed");
  app.add_flag("--trace", trace, "with --seed: a line for everything that happens");
  app.add_option("--minutes", minutes, "limit of virtual time for each seed");
  app.add_option("--kept", options.kept_file, "file of seeds that are run first; failing ones are added");
  app.add_option("--findings", findings_max, "give up after so many failing seeds");
  app.add_flag("--no-shrink", whole, "tell a failing scenario as it was drawn");
  app.add_flag("--quiet", quiet, "no progress");
  if (const auto exit = parse_command_line(app, argc, argv, 2)) return leave(*exit, "fireline-sim");
  options.shrink = !whole;
  options.length_max = std::chrono::minutes(minutes);
  std::signal(SIGABRT, tell_seed);

  std::uint64_t first = seed, last = seed;
  if (!range.empty()) {
    const std::size_t dash = range.find('-');
    const auto number = [](const std::string& text, std::uint64_t& value) {
      return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc();
    };
    if (dash == std::string::npos || !number(range.substr(0, dash), first) || !number(range.substr(dash + 1), last)) {
      std::cerr << "fireline-sim: --seeds wants FROM-TO, for example 1-300\n";
      return 2;
    }
  }
  sim::SeedSearch search(options, [](const std::string& line) { std::cout << line << std::endl; });
  const auto begin = std::chrono::steady_clock::now();
  const auto run = [&](std::uint64_t each) {
    current_seed = each;
    trace&& range.empty() ? search.trace(each) : search.run(each);
    return search.result().findings.size() < findings_max;
  };
  bool go_on = true;
  if (!options.kept_file.empty()) {
    for (const std::uint64_t kept : sim::kept_seeds(options.kept_file)) go_on = go_on && run(kept);
  }
  for (std::uint64_t each = first; go_on && each <= last; ++each) {
    go_on = run(each);
    if (!quiet && (each - first + 1) % 100 == 0) std::cout << "… " << each << std::endl;
  }
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  summarise(search.result(), wall, static_cast<double>(std::clock()) / CLOCKS_PER_SEC);
  return search.result().findings.empty() ? 0 : 1;
}
