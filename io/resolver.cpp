#include "io/resolver.h"

#include <net/if.h>
#include <netdb.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <ranges>
#include <system_error>
#include <thread>

#include "core/crypto/random.h"
#include "core/dns/address_query.h"
#include "io/blocked_signals.h"
#include "io/file_descriptor.h"
#include "io/loop_mailbox.h"
#include "io/socket_address.h"

namespace fireline::io {
namespace {

void sort_and_limit(std::vector<IpAddress>& addresses) {
  std::ranges::stable_sort(addresses, {}, [](const IpAddress& address) { return !address.is_v4(); });
  std::vector<IpAddress> once;
  for (const IpAddress& address : addresses) {
    if (once.size() < kDnsAddressesMax && std::ranges::find(once, address) == once.end()) once.push_back(address);
  }
  addresses = std::move(once);
}

std::vector<IpAddress> ask_system(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::vector<IpAddress> addresses;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return addresses;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    SocketAddress address;
    if (entry->ai_addrlen > sizeof(address.storage)) continue;
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    const Family family = entry->ai_family == AF_INET ? Family::v4 : Family::v6;
    if (const auto endpoint = to_endpoint(address.storage, entry->ai_addrlen, family)) {
      addresses.push_back(endpoint->address);
    }
  }
  ::freeaddrinfo(found);
  sort_and_limit(addresses);
  return addresses;
}

std::string_view next_word(std::string_view& line) {
  const auto begin = std::min(line.find_first_not_of(" \t\r"), line.size());
  line.remove_prefix(begin);
  const auto word = line.substr(0, line.find_first_of(" \t\r"));
  line.remove_prefix(word.size());
  return word;
}

// visit(line) for each line, without what stands behind one of `comments`.
template <class Visit>
void for_each_line(std::string_view text, std::string_view comments, Visit visit) {
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    visit(line.substr(0, line.find_first_of(comments)));
  }
}

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

// One question to one server: a socket of its own, connected, so that no other address can answer.
struct Query {
  FileDescriptor socket;
  std::uint16_t id = 0;
  Family family = Family::v4;
  EventLoop::Id watch = EventLoop::Id::none;
};

}  // namespace

class Resolver::Impl {
 public:
  explicit Impl(EventLoop& loop) : loop_(loop) {}
  ~Impl() { cancel(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void resolve_system(const std::string& host, Callback callback);
  void resolve_direct(const DirectQuestion& question, Callback callback);
  void cancel();

 private:
  void drop_queries();
  void answer_later(std::vector<IpAddress> addresses);
  void ask_next();
  void wait_for_rest();
  void end_rest();
  void end_name();
  void ask(const Endpoint& server, Family family);
  void on_readable(Query& query);
  void finish();

  EventLoop& loop_;
  Callback callback_;
  std::vector<std::string> names_;  // to be asked, the next one last
  std::vector<Endpoint> servers_;
  std::optional<std::uint32_t> mark_;
  std::string host_;       // the name under question
  bool answered_ = false;  // by some server, be it that there is no such name
  std::vector<IpAddress> found_;
  std::vector<std::unique_ptr<Query>> queries_;
  std::size_t unanswered_ = 0;
  EventLoop::Id timer_ = EventLoop::Id::none;
  crypto::SystemRandom random_;
  std::unique_ptr<LoopMailbox> mailbox_;  // of the system's answer
};

void Resolver::Impl::cancel() {
  callback_ = nullptr;
  loop_.cancel(timer_);
  timer_ = EventLoop::Id::none;
  drop_queries();
  names_.clear();
  found_.clear();
  mailbox_.reset();
}

void Resolver::Impl::drop_queries() {
  for (const auto& query : queries_) loop_.unwatch(query->watch);
  queries_.clear();
  unanswered_ = 0;
}

void Resolver::Impl::answer_later(std::vector<IpAddress> addresses) {
  found_ = std::move(addresses);
  timer_ = loop_.at(loop_.now().boot, [this] { finish(); });
}

void Resolver::Impl::resolve_system(const std::string& host, Callback callback) {
  cancel();
  callback_ = std::move(callback);
  auto mailbox = LoopMailbox::make(loop_);
  if (!mailbox) return answer_later({});
  mailbox_ = std::move(*mailbox);
  const auto ask = [this, host, address = mailbox_->address()] {
    auto addresses = ask_system(host);
    address([this, addresses = std::move(addresses)]() mutable {
      found_ = std::move(addresses);
      finish();
    });
  };
  const BlockedSignals inherited;
  // Nobody waits for the thread: getaddrinfo cannot be ended, and what comes too late finds no mailbox.
  try {
    std::thread(ask).detach();
  } catch (const std::system_error&) {
    answer_later({});  // a host without room for a thread; the question comes again
  }
}

void Resolver::Impl::resolve_direct(const DirectQuestion& question, Callback callback) {
  cancel();
  callback_ = std::move(callback);
  host_ = question.host;
  if (const auto literal = IpAddress::parse(host_)) return answer_later({*literal});
  std::ifstream hosts(question.hosts_file);
  auto known = addresses_in_hosts(std::string(std::istreambuf_iterator<char>(hosts), {}), host_);
  if (!known.empty()) return answer_later(std::move(known));
  servers_ = question.servers;
  mark_ = question.mark;
  names_ = names_to_ask(host_, question.search);
  std::ranges::reverse(names_);
  ask_next();
}

void Resolver::Impl::ask_next() {
  drop_queries();
  answered_ = false;
  while (unanswered_ == 0 && !names_.empty()) {
    host_ = std::move(names_.back());
    names_.pop_back();
    for (const Endpoint& server : servers_ | std::views::take(kDnsServersMax)) {
      ask(server, Family::v4);
      ask(server, Family::v6);
    }
  }
  loop_.cancel(timer_);
  if (unanswered_ == 0) return answer_later({});
  timer_ = loop_.after(kDnsPatience, [this] { end_name(); });
}

void Resolver::Impl::wait_for_rest() {
  loop_.cancel(timer_);
  timer_ = loop_.after(kDnsRestPatience, [this] { end_rest(); });
}

// With an address in hand the others have their whole time.
void Resolver::Impl::end_rest() {
  if (found_.empty()) return end_name();
  timer_ = loop_.after(kDnsPatience - kDnsRestPatience, [this] { end_name(); });
}

// Servers that are silent are so for every name.
void Resolver::Impl::end_name() {
  if (found_.empty() && answered_ && !names_.empty()) return ask_next();
  finish();
}

void Resolver::Impl::ask(const Endpoint& server, Family family) {
  auto query = std::make_unique<Query>();
  query->family = family;
  random_.fill(std::as_writable_bytes(std::span(&query->id, 1)));
  const auto message = dns::make_address_query(query->id, host_, family);
  if (!message) return;
  query->socket = FileDescriptor(
      ::socket(server.address.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int fd = query->socket.get();
  if (fd < 0 || (mark_ && ::setsockopt(fd, SOL_SOCKET, SO_MARK, &*mark_, sizeof *mark_) != 0)) return;
  const auto address = to_socket_address(server);
  if (::connect(fd, address.get(), address.length) != 0) return;
  if (::send(fd, message->data(), message->size(), 0) < 0) return;
  query->watch = loop_.watch(fd, EPOLLIN, [this, raw = query.get()](EventLoop::Events) { on_readable(*raw); });
  if (query->watch == EventLoop::Id::none) return;
  queries_.push_back(std::move(query));
  ++unanswered_;
}

void Resolver::Impl::on_readable(Query& query) {
  std::array<std::byte, dns::kAnswerBytesMax> answer;
  const auto bytes = ::recv(query.socket.get(), answer.data(), answer.size(), 0);
  if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (bytes >= 0) {
    const auto addresses = dns::parse_address_answer(std::span(answer).first(static_cast<std::size_t>(bytes)), query.id,
                                                     host_, query.family);
    // Somebody else's answer: the right one may still come.
    if (!addresses && addresses.error() != dns::AnswerError::failed) return;
    if (!std::exchange(answered_, true) && !names_.empty()) wait_for_rest();
    if (addresses) found_.insert(found_.end(), addresses->begin(), addresses->end());
  }
  loop_.unwatch(std::exchange(query.watch, EventLoop::Id::none));
  if (--unanswered_ == 0) end_name();
}

void Resolver::Impl::finish() {
  auto callback = std::move(callback_);
  auto found = std::move(found_);
  sort_and_limit(found);
  cancel();
  if (callback) callback(std::move(found));
}

Resolver::Resolver(EventLoop& loop) : impl_(std::make_unique<Impl>(loop)) {}

Resolver::~Resolver() = default;

void Resolver::resolve_system(const std::string& host, Callback callback) {
  impl_->resolve_system(host, std::move(callback));
}

void Resolver::resolve_direct(const DirectQuestion& question, Callback callback) {
  impl_->resolve_direct(question, std::move(callback));
}

void Resolver::cancel() {
  impl_->cancel();
}

namespace {

// Of a number or an interface's name; 0: no such interface.
std::uint32_t scope_of(std::string_view zone) {
  std::uint32_t scope = 0;
  const auto [end, error] = std::from_chars(zone.data(), zone.data() + zone.size(), scope);
  if (error == std::errc() && end == zone.data() + zone.size()) return scope;
  return ::if_nametoindex(std::string(zone).c_str());
}

bool is_link_local(const IpAddress& address) {
  return !address.is_v4() && load_be16(address.bytes(), 0) >> 6 == 0xFE80 >> 6;
}

}  // namespace

std::vector<Endpoint> nameservers_in(std::string_view resolv_conf) {
  std::vector<Endpoint> servers;
  for_each_line(resolv_conf, "#;", [&servers](std::string_view line) {
    if (next_word(line) != "nameserver" || servers.size() >= kDnsServersMax) return;
    const auto word = next_word(line);
    const auto zone = std::min(word.find('%'), word.size());
    const auto address = IpAddress::parse(word.substr(0, zone));
    if (!address) return;
    Endpoint server{*address, 53, 0};
    if (zone < word.size()) server.scope = scope_of(word.substr(zone + 1));
    // Which link? A server that cannot be asked would stand in the way of the system's resolver.
    if (server.scope == 0 && is_link_local(*address)) return;
    servers.push_back(server);
  });
  return servers;
}

SearchList search_list_in(std::string_view resolv_conf) {
  SearchList list;
  for_each_line(resolv_conf, "#;", [&list](std::string_view line) {
    const auto keyword = next_word(line);
    if (keyword == "search" || keyword == "domain") {
      list.domains.clear();
      const std::size_t limit = keyword == "search" ? kDnsDomainsMax : 1;
      for (auto word = next_word(line); !word.empty() && list.domains.size() < limit; word = next_word(line)) {
        if (word.ends_with('.')) word.remove_suffix(1);
        if (!word.empty()) list.domains.emplace_back(word);
      }
    } else if (keyword == "options") {
      constexpr std::string_view kDots = "ndots:";
      for (auto word = next_word(line); !word.empty(); word = next_word(line)) {
        if (!word.starts_with(kDots)) continue;
        word.remove_prefix(kDots.size());
        std::size_t dots = 0;
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), dots);
        if (error == std::errc() && end == word.data() + word.size()) list.dots = std::min(dots, kDnsDotsMax);
      }
    }
  });
  return list;
}

std::vector<std::string> names_to_ask(const std::string& host, const SearchList& search) {
  if (host.ends_with('.')) return {host};
  std::vector<std::string> names;
  for (const auto& domain : search.domains | std::views::take(kDnsDomainsMax)) names.push_back(host + "." + domain);
  const bool whole_first = static_cast<std::size_t>(std::ranges::count(host, '.')) >= search.dots;
  names.insert(whole_first ? names.begin() : names.end(), host);
  return names;
}

std::vector<IpAddress> addresses_in_hosts(std::string_view hosts_file, std::string_view host) {
  std::vector<IpAddress> addresses;
  for_each_line(hosts_file, "#", [&](std::string_view line) {
    const auto address = IpAddress::parse(next_word(line));
    if (!address) return;
    for (auto name = next_word(line); !name.empty(); name = next_word(line)) {
      if (same_name(name, host)) addresses.push_back(*address);
    }
  });
  sort_and_limit(addresses);
  return addresses;
}

}  // namespace fireline::io
