#include "load/checker.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "load/error.hpp"

namespace loopgauge::bench {
namespace {

std::string place(std::uint64_t received, std::size_t size) {
  return "at byte " + std::to_string(received % size) + " of operation " +
         std::to_string(received / size);
}

std::string hex(char byte) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "0x%02x", static_cast<unsigned char>(byte));
  return text.data();
}

[[noreturn]] void wrong(const std::string& where, char got, char expected) {
  throw LoadError(Failure::wrong, "wrong byte " + where + " (byte and operation count from 0): " +
                                      hex(got) + " instead of " + hex(expected));
}

// The bytes of a pattern, in order: echo and source differ in where a run begins.
class PatternChecker final : public Checker {
 public:
  PatternChecker(const Pattern& pattern, Position start, std::size_t size, bool restarts)
      : pattern_(pattern), start_(start), size_(size), restarts_(restarts) {}

  void expect(std::int64_t count) override {
    if (restarts_ && received_ == allowed_)
      received_ = allowed_ = 0;
    allowed_ += static_cast<std::uint64_t>(count) * size_;
  }

  std::int64_t consume(std::span<const char> data) override {
    const std::uint64_t before = received_ / size_;
    const auto known =
        static_cast<std::size_t>(std::min<std::uint64_t>(data.size(), allowed_ - received_));
    if (const auto at = pattern_.mismatch(start_ + received_, data.first(known)))
      wrong(place(received_ + *at, size_), data[*at],
            pattern_.at(start_ + received_ + *at, 1).front());
    received_ += known;
    if (known < data.size())
      throw LoadError(Failure::wrong, std::to_string(data.size() - known) +
                                          " bytes more than the answer, " + where());
    return static_cast<std::int64_t>(received_ / size_ - before);
  }

  [[nodiscard]] std::string where() const override { return place(received_, size_); }

 private:
  const Pattern& pattern_;
  Position start_;
  std::size_t size_;
  bool restarts_;
  std::uint64_t allowed_ = 0;
  std::uint64_t received_ = 0;
};

class ReceiptChecker final : public Checker {
 public:
  explicit ReceiptChecker(std::size_t size) : size_(size) {}

  void expect(std::int64_t count) override {
    count_ = count;
    receipt_ = big_endian(static_cast<std::uint64_t>(count) * size_);
    received_ = 0;
  }

  std::int64_t consume(std::span<const char> data) override {
    for (const char byte : data) {
      if (received_ == receipt_.size())
        throw LoadError(Failure::wrong, "more than 8 bytes of receipt");
      if (byte != receipt_[received_])
        wrong(where(), byte, receipt_[received_]);
      ++received_;
    }
    return received_ == receipt_.size() ? count_ : 0;
  }

  [[nodiscard]] std::string where() const override {
    return "at byte " + std::to_string(received_) + " of the receipt";
  }

 private:
  std::size_t size_;
  std::int64_t count_ = 0;
  std::string receipt_;
  std::size_t received_ = 0;
};

} // namespace

std::unique_ptr<Checker> echo_checker(const Pattern& pattern, Position start, std::size_t size) {
  return std::make_unique<PatternChecker>(pattern, start, size, false);
}

std::unique_ptr<Checker> source_checker(const Pattern& pattern, std::size_t size) {
  return std::make_unique<PatternChecker>(pattern, 0, size, true);
}

std::unique_ptr<Checker> receipt_checker(std::size_t size) {
  return std::make_unique<ReceiptChecker>(size);
}

std::string big_endian(std::uint64_t value) {
  std::string bytes(8, '\0');
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte, value >>= 8)
    *byte = static_cast<char>(value & 0xff);
  return bytes;
}

} // namespace loopgauge::bench
