#include "enxerto/core/lock.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "enxerto/core/error.h"
#include "enxerto/core/text.h"

namespace enxerto {
namespace {

TEST(Lock, OneAtATime) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / text("enxerto_lock_", ::getpid());
  fs::create_directory(folder);
  for (const bool is_folder : {false, true}) {
    const fs::path path = is_folder ? folder : folder / "name.lock";
    const auto make = [&] { return is_folder ? Lock::on_folder(path) : Lock::on_file(path); };
    std::optional<Lock> first = make();
    Lock second = make();
    EXPECT_TRUE(first->try_take());
    EXPECT_FALSE(second.try_take());
    Lock moved = std::move(*first);
    first.reset();
    EXPECT_FALSE(second.try_take()) << "a lock that was moved is held on";
    moved = make();
    EXPECT_TRUE(second.try_take());
  }
  EXPECT_THROW(Lock::on_folder(folder / "none"), Error);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace enxerto
