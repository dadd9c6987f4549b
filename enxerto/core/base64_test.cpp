#include "enxerto/core/base64.h"

#include <gtest/gtest.h>

#include <string_view>
#include <utility>
#include <vector>

namespace enxerto {
namespace {

TEST(Base64, IsThatOfRfc4648) {
  const std::vector<std::pair<std::string_view, std::string>> vectors = {{"", ""},
                                                                         {"f", "Zg=="},
                                                                         {"fo", "Zm8="},
                                                                         {"foo", "Zm9v"},
                                                                         {"foob", "Zm9vYg=="},
                                                                         {"fooba", "Zm9vYmE="},
                                                                         {"foobar", "Zm9vYmFy"},
                                                                         {"\xff\xfe\xfb", "//77"}};
  for (const auto& [bytes, wanted] : vectors)
    EXPECT_EQ(base64({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}), wanted);
}

}  // namespace
}  // namespace enxerto
