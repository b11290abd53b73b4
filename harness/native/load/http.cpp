// The answers of HTTP/1.1 keep-alive, as strictly as a benchmark needs: status 200, Content-Length,
// the right body.
#include <algorithm>
#include <charconv>
#include <string_view>

#include "load/checker.hpp"
#include "load/error.hpp"

namespace loopgauge::bench {
namespace {

constexpr std::size_t longest_head = std::size_t{64} << 10;

[[noreturn]] void wrong(const std::string& what) {
  throw LoadError(Failure::wrong, what);
}

bool equal_but_case(std::string_view left, std::string_view right) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [&](char a, char b) { return lower(a) == lower(b); });
}

// The value of Content-Length in the lines of a head.
std::uint64_t content_length(std::string_view head) {
  constexpr std::string_view field = "content-length:";
  while (!head.empty()) {
    const std::size_t end = std::min(head.find("\r\n"), head.size());
    std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + 2, head.size()));
    if (!equal_but_case(line.substr(0, field.size()), field))
      continue;
    line.remove_prefix(std::min(line.find_first_not_of(' ', field.size()), line.size()));
    std::uint64_t length = 0;
    const auto [stopped, error] = std::from_chars(line.data(), line.data() + line.size(), length);
    if (error == std::errc() && stopped == line.data() + line.size())
      return length;
    wrong("the answer's Content-Length is '" + std::string(line) + "'");
  }
  wrong("the answer has no Content-Length");
}

class HttpChecker final : public Checker {
 public:
  explicit HttpChecker(std::optional<std::string> body) : body_(std::move(body)) {}

  void expect(std::int64_t count) override { outstanding_ += count; }

  std::int64_t consume(std::span<const char> data) override {
    std::string_view rest(data.data(), data.size());
    std::int64_t completed = 0;
    while (!rest.empty()) {
      if (outstanding_ == 0)
        wrong(std::to_string(rest.size()) + " bytes that nobody asked for");
      rest.remove_prefix(in_body_ ? take_body(rest) : take_head(rest));
      if (in_body_ && body_seen_ == length_) {
        in_body_ = false;
        --outstanding_;
        ++answers_;
        ++completed;
      }
    }
    return completed;
  }

  [[nodiscard]] std::string where() const override {
    return (in_body_ ? "at byte " + std::to_string(body_seen_) + " of the body"
                     : "at byte " + std::to_string(head_.size()) + " of the head") +
           " of answer " + std::to_string(answers_);
  }

 private:
  // Most heads come in one piece and are read where they are; head_ holds the pieces of others.
  std::size_t take_head(std::string_view data) {
    const std::size_t before = head_.size();
    std::string_view whole = data;
    if (before != 0)
      whole = head_.append(data);
    const std::size_t end = whole.find("\r\n\r\n");
    if (end == std::string_view::npos) {
      if (before == 0)
        head_.assign(data);
      if (head_.size() > longest_head)
        wrong("the head of an answer is longer than 64 KiB");
      return data.size();
    }
    read_head(whole.substr(0, end));
    head_.clear();
    return end + 4 - before;
  }

  void read_head(std::string_view head) {
    const std::string_view status = head.substr(0, head.find("\r\n"));
    const std::string_view after_version = status.substr(std::min<std::size_t>(8, status.size()));
    if (!status.starts_with("HTTP/1.") ||
        (after_version != " 200" && !after_version.starts_with(" 200 ")))
      wrong("the status of an answer is '" + std::string(status.substr(0, 80)) + "', not 200");
    length_ = content_length(head);
    if (body_ && length_ != body_->size())
      wrong("a body has " + std::to_string(length_) + " bytes instead of " +
            std::to_string(body_->size()));
    body_seen_ = 0;
    in_body_ = true;
  }

  std::size_t take_body(std::string_view data) {
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(data.size(), length_ - body_seen_));
    if (body_ && std::string_view(*body_).substr(static_cast<std::size_t>(body_seen_), size) !=
                     data.substr(0, size))
      wrong("wrong bytes in the body of answer " + std::to_string(answers_));
    body_seen_ += size;
    return size;
  }

  std::optional<std::string> body_;
  std::string head_;
  bool in_body_ = false;
  std::uint64_t length_ = 0;
  std::uint64_t body_seen_ = 0;
  std::int64_t outstanding_ = 0;
  std::int64_t answers_ = 0;
};

} // namespace

std::unique_ptr<Checker> http_checker(std::optional<std::string> body) {
  return std::make_unique<HttpChecker>(std::move(body));
}

} // namespace loopgauge::bench
