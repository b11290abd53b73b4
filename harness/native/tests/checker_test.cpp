#include <algorithm>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "harness/native/load/checker.hpp"
#include "harness/native/load/error.hpp"

namespace loopgauge::bench {
namespace {

std::vector<char> bytes_of(const Pattern& pattern, Position start, std::size_t size) {
  std::vector<char> bytes;
  while (bytes.size() < size) {
    const auto piece = pattern.at(start + bytes.size(), size - bytes.size());
    bytes.insert(bytes.end(), piece.begin(), piece.end());
  }
  return bytes;
}

// The reason of the LoadError(wrong) that `data` brings, in pieces of `step`; empty if there is
// none.
std::string complaint(Checker& checker, std::span<const char> data, std::size_t step) {
  try {
    for (std::size_t at = 0; at < data.size(); at += step)
      (void)checker.consume(data.subspan(at, std::min(step, data.size() - at)));
  } catch (const LoadError& error) {
    EXPECT_EQ(error.kind(), Failure::wrong);
    return error.what();
  }
  return "";
}

TEST(Pattern, IsTheSameAtEveryPeriod) {
  const Pattern pattern = Pattern::random(1'000);
  const auto once = bytes_of(pattern, 17, 5'000);
  EXPECT_EQ(bytes_of(pattern, 17 + 3 * pattern.period(), 5'000), once);
  EXPECT_NE(bytes_of(pattern, 18, 5'000), once);
  EXPECT_EQ(pattern.at(pattern.period() - 1, 1'000).size(), 1'000U);
}

TEST(Pattern, LinesEndWithTheirOnlyNewline) {
  const Pattern pattern = Pattern::lines(100, 1'000);
  const auto bytes = bytes_of(pattern, 0, 1'000);
  for (std::size_t at = 0; at < bytes.size(); ++at)
    EXPECT_EQ(bytes[at] == '\n', at % 100 == 99) << at;
}

TEST(EchoChecker, CountsOperationsHoweverTheBytesArrive) {
  const Pattern pattern = Pattern::random(1'000);
  for (const std::size_t step : {1, 7, 100, 250, 1'000, 200'000}) {
    const auto checker = echo_checker(pattern, 65'000, 100);
    const auto data = bytes_of(pattern, 65'000, 200'000); // runs over the period
    checker->expect(2'000);
    std::int64_t operations = 0;
    for (std::size_t at = 0; at < data.size(); at += step)
      operations += checker->consume(std::span(data).subspan(at, std::min(step, data.size() - at)));
    EXPECT_EQ(operations, 2'000);
  }
}

TEST(EchoChecker, FindsEveryChangedByte) {
  const Pattern pattern = Pattern::random(1'000);
  const auto good = bytes_of(pattern, 5, 300);
  for (std::size_t at = 0; at < good.size(); ++at) {
    auto bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x20);
    const auto checker = echo_checker(pattern, 5, 100);
    checker->expect(3);
    const std::string place =
        "at byte " + std::to_string(at % 100) + " of operation " + std::to_string(at / 100) + " ";
    EXPECT_NE(complaint(*checker, bad, 64).find(place), std::string::npos) << at;
  }
}

TEST(EchoChecker, FindsDroppedAndRepeatedBytes) {
  const Pattern pattern = Pattern::random(1'000);
  auto dropped = bytes_of(pattern, 0, 300);
  auto repeated = dropped;
  dropped.erase(dropped.begin() + 150);
  repeated.insert(repeated.begin() + 150, repeated.begin(), repeated.begin() + 100);
  for (const auto& bad : {dropped, repeated}) {
    const auto checker = echo_checker(pattern, 0, 100);
    checker->expect(10);
    EXPECT_NE(complaint(*checker, bad, 1'000), "");
  }
}

TEST(EchoChecker, RefusesMoreThanWasAskedFor) {
  const Pattern pattern = Pattern::random(1'000);
  const auto checker = echo_checker(pattern, 0, 100);
  checker->expect(1);
  EXPECT_NE(complaint(*checker, bytes_of(pattern, 0, 101), 1'000).find("1 bytes more"),
            std::string::npos);
}

TEST(SourceChecker, BeginsAgainWithEveryRun) {
  const Pattern block(source_block(100), 1'000);
  const auto checker = source_checker(block, 100);
  for (int run = 0; run < 2; ++run) {
    checker->expect(3);
    EXPECT_EQ(checker->consume(bytes_of(block, 0, 300)), 3);
  }
  checker->expect(1);
  EXPECT_NE(complaint(*checker, bytes_of(block, 1, 100), 100), "");
}

TEST(ReceiptChecker, WantsTheNumberOfBytes) {
  const auto checker = receipt_checker(1'000);
  checker->expect(5);
  const std::string receipt = big_endian(5'000);
  EXPECT_EQ(checker->consume(std::span(receipt).first(3)), 0);
  EXPECT_EQ(checker->consume(std::span(receipt).subspan(3)), 5);
  EXPECT_NE(complaint(*checker, std::string("x"), 1), "");
  checker->expect(5);
  EXPECT_NE(complaint(*checker, big_endian(5'001), 8), "");
}

const std::string answer = "HTTP/1.1 200 OK\r\nServer: x\r\ncontent-length: 5\r\n\r\nHello";

TEST(HttpChecker, TakesAnswersInAnyPieces) {
  const std::string data = answer + answer + answer;
  for (std::size_t step = 1; step <= data.size(); ++step) {
    const auto checker = http_checker("Hello");
    checker->expect(3);
    std::int64_t answers = 0;
    for (std::size_t at = 0; at < data.size(); at += step)
      answers += checker->consume(std::span(data).subspan(at, std::min(step, data.size() - at)));
    EXPECT_EQ(answers, 3) << step;
  }
}

TEST(HttpChecker, RefusesWhatIsWrong) {
  const auto complains = [](std::string_view expected, const std::string& data) {
    const auto checker = http_checker("Hello");
    checker->expect(1);
    const std::string reason = complaint(*checker, data, 1);
    EXPECT_NE(reason.find(expected), std::string::npos) << reason;
  };
  complains("not 200", "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nHello");
  complains("not 200", "HTTP/1.1 2000 Odd\r\nContent-Length: 5\r\n\r\nHello");
  complains("no Content-Length", "HTTP/1.1 200 OK\r\n\r\nHello");
  complains("Content-Length is 'x5'", "HTTP/1.1 200 OK\r\nContent-Length: x5\r\n\r\nHello");
  complains("instead of 5", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nHello!");
  complains("wrong bytes", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  complains("nobody asked", answer + "H");
  complains("longer than 64 KiB", std::string(70'000, 'x'));
}

} // namespace
} // namespace loopgauge::bench
