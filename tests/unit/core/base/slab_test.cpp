#include "core/base/slab.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>

namespace fireline {
namespace {

struct alignas(kCacheLineBytes) Item {
  explicit Item(int* alive_count) noexcept : alive(alive_count) { ++*alive; }
  Item(const Item&) = delete;
  Item& operator=(const Item&) = delete;
  ~Item() { --*alive; }
  int* alive;
  std::byte rest[1000]{};
};

// Remembers what it was asked for.
class Source final : public std::pmr::memory_resource {
 public:
  std::vector<std::size_t> asked;
  std::size_t out = 0;

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    asked.push_back(bytes);
    out += bytes;
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* place, std::size_t bytes, std::size_t alignment) override {
    out -= bytes;
    std::pmr::new_delete_resource()->deallocate(place, bytes, alignment);
  }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
};

TEST(Slab, ChunksDoubleUpToOneLargePageAndGoBackInTheEnd) {
  Source source;
  int alive = 0;
  {
    Slab<Item> slab(&source);
    EXPECT_TRUE(source.asked.empty()) << "who has no object pays nothing";
    std::vector<Slab<Item>::Pointer> items;
    while (source.asked.size() < 12) items.push_back(slab.make_owned(&alive));
    EXPECT_EQ(slab.size(), items.size());
    EXPECT_EQ(alive, static_cast<int>(items.size()));
    std::size_t expected = kSlabFirstBytes;
    for (const std::size_t bytes : source.asked) {
      EXPECT_EQ(bytes, expected);
      expected = std::min(2 * expected, kSlabChunkBytes);
    }
    EXPECT_EQ(source.asked.back(), kSlabChunkBytes);
    std::set<Item*> places;
    for (const auto& item : items) {
      places.insert(item.get());
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(item.get()) % kCacheLineBytes, 0u);
    }
    EXPECT_EQ(places.size(), items.size()) << "no place is given out twice";
  }
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(source.out, 0u);
}

TEST(Slab, APlaceThatIsGivenBackIsTheNextOneTaken) {
  Source source;
  int alive = 0;
  Slab<Item> slab(&source);
  std::vector<Slab<Item>::Pointer> items;
  for (int i = 0; i < 100; ++i) items.push_back(slab.make_owned(&alive));
  const std::size_t chunks = source.asked.size();
  for (int round = 0; round < 1000; ++round) {
    Item* const place = items[static_cast<std::size_t>(round) % items.size()].get();
    items[static_cast<std::size_t>(round) % items.size()].reset();
    EXPECT_EQ(alive, 99);
    items[static_cast<std::size_t>(round) % items.size()] = slab.make_owned(&alive);
    EXPECT_EQ(items[static_cast<std::size_t>(round) % items.size()].get(), place);
  }
  EXPECT_EQ(source.asked.size(), chunks) << "coming and going takes no memory";
}

TEST(SlabDeathTest, ASlabThatGoesBeforeItsObjectsAborts) {
  EXPECT_DEATH(
      {
        int alive = 0;
        Slab<Item> slab(std::pmr::new_delete_resource());
        static_cast<void>(slab.make(&alive));
      },
      "");
}

}  // namespace
}  // namespace fireline
