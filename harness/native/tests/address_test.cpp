#include <gtest/gtest.h>

#include "harness/native/load/address.hpp"
#include "harness/native/load/error.hpp"

namespace loopgauge::bench {
namespace {

TEST(Address, ReadsEveryForm) {
  EXPECT_EQ(parse_address(Kind::tcp, "127.0.0.1:80").family(), AF_INET);
  EXPECT_EQ(parse_address(Kind::udp, "[::1]:0").family(), AF_INET6);
  EXPECT_EQ(parse_address(Kind::unix_stream, "/run/x.sock").family(), AF_UNIX);
  EXPECT_EQ(parse_address(Kind::unix_datagram, "@x").length, sizeof(sa_family_t) + 2);
  EXPECT_TRUE(parse_address(Kind::tcp, "127.9.9.9:80").is_loopback_v4());
  EXPECT_FALSE(parse_address(Kind::tcp, "128.0.0.1:80").is_loopback_v4());
}

TEST(Address, RefusesWhatIsNone) {
  for (const char* text : {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
                           "127.0.0.1:8o", "localhost:80", "::1:80", "[127.0.0.1]:80", "[]:80"})
    EXPECT_THROW(parse_address(Kind::tcp, text), LoadError) << text;
  EXPECT_THROW(parse_address(Kind::unix_stream, ""), LoadError);
  EXPECT_THROW(parse_address(Kind::unix_stream, std::string(108, 'x')), LoadError);
  EXPECT_THROW(kind_of("tpc"), LoadError);
}

} // namespace
} // namespace loopgauge::bench
