#include "tier/pipe.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

#include "loops/core/fd.hpp"

namespace loopgauge::bench {
namespace {

constexpr std::int64_t mib = 1 << 20;
constexpr std::size_t chunk = 64 << 10;
constexpr std::size_t buffer_size = 256 << 10; // of one read: as asyncio's transports
constexpr int compared_every = 16;             // pieces; all of them would be half of the work

// A pipe and what goes through it: a pattern whose period divides no buffer, so that a piece that
// is lost, repeated or out of place shows.
class Stream {
 public:
  Stream() : pattern_(2 * period + buffer_size), buffer_(buffer_size) {
    std::array<int, 2> ends{};
    require_done(::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) == 0 ? 0 : errno, "pipe2");
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
    for (std::size_t i = 0; i < pattern_.size(); ++i)
      pattern_[i] = static_cast<char>(i % period * 2654435761U >> 24);
  }

  void start(std::int64_t bytes) {
    to_write_ = bytes;
    to_read_ = bytes;
  }
  [[nodiscard]] bool all_written() const { return to_write_ == 0; }
  [[nodiscard]] bool all_read() const { return to_read_ == 0; }
  [[nodiscard]] std::int64_t unread() const { return to_read_; }

  // One system call each. False: the pipe is full, or empty.
  bool write_once() {
    const auto size = static_cast<std::size_t>(
        std::min<std::int64_t>(static_cast<std::int64_t>(chunk), to_write_));
    const ssize_t sent = ::write(write_end.get(), pattern_.data() + written_ % period, size);
    if (sent < 0) {
      require_done(errno == EAGAIN ? 0 : errno, "write");
      return false;
    }
    written_ += static_cast<std::size_t>(sent);
    to_write_ -= sent;
    return true;
  }
  bool read_once() {
    const ssize_t got = ::read(read_end.get(), buffer_.data(), buffer_.size());
    if (got < 0) {
      require_done(errno == EAGAIN ? 0 : errno, "read");
      return false;
    }
    if (pieces_++ % compared_every == 0 &&
        std::memcmp(buffer_.data(), pattern_.data() + read_ % period,
                    static_cast<std::size_t>(got)) != 0)
      throw NativeFailure("bytes that were received are wrong");
    read_ += static_cast<std::size_t>(got);
    to_read_ -= got;
    return true;
  }

  core::UniqueFd read_end;
  core::UniqueFd write_end;

 private:
  static constexpr std::size_t period = 65521;

  std::vector<char> pattern_;
  std::vector<char> buffer_;
  std::size_t written_ = 0;
  std::size_t read_ = 0;
  std::int64_t to_write_ = 0;
  std::int64_t to_read_ = 0;
  int pieces_ = 0;
};

class PipeThroughput final : public Work {
 public:
  explicit PipeThroughput(NativeLoop& loop)
      : loop_(loop), begin_{on<&PipeThroughput::begin>, this, {}},
        reader_(watch(stream_.read_end.get(), LOOPGAUGE_READABLE, &PipeThroughput::readable)),
        writer_(watch(stream_.write_end.get(), 0, &PipeThroughput::writable)) {}

  std::int64_t run(std::int64_t n) override {
    stream_.start(n * mib);
    loop_.post(begin_);
    loop_.run();
    if (failure_)
      throw NativeFailure(*failure_);
    return n - (stream_.unread() + mib - 1) / mib;
  }

 private:
  Watch watch(int fd, unsigned events, loopgauge_watch_callback callback) {
    return {loop_.table.watch(loop_.get(), fd, events, callback, this), loop_.table.unwatch,
            "watch"};
  }

  void begin() {
    guarded([this] { pump(); });
  }
  static void readable(void* self, unsigned) {
    auto* work = static_cast<PipeThroughput*>(self);
    work->guarded([work] {
      (void)work->stream_.read_once();
      if (work->stream_.all_read())
        work->loop_.stop();
    });
  }
  static void writable(void* self, unsigned) {
    auto* work = static_cast<PipeThroughput*>(self);
    work->guarded([work] { work->pump(); });
  }

  // Writes while there is room, then waits for more.
  void pump() {
    while (!stream_.all_written() && stream_.write_once()) {
    }
    const bool waiting = !stream_.all_written();
    if (waiting != waiting_) {
      waiting_ = waiting;
      require_done(loop_.table.rewatch(writer_.get(), waiting ? LOOPGAUGE_WRITABLE : 0), "rewatch");
    }
  }

  // An exception must not pass the C interface: it is kept until the run has ended.
  template <class F>
  void guarded(F work) {
    try {
      work();
    } catch (const NativeFailure& failure) {
      failure_ = failure.what();
      loop_.stop();
    }
  }

  NativeLoop& loop_;
  Stream stream_;
  loopgauge_task begin_;
  bool waiting_ = false;
  std::optional<std::string> failure_;
  Watch reader_; // end before the pipe
  Watch writer_;
};

class PipeFloor final : public Work {
 public:
  std::int64_t run(std::int64_t n) override {
    stream_.start(n * mib);
    while (!stream_.all_read()) {
      while (!stream_.all_written() && stream_.write_once()) {
      }
      while (!stream_.all_read() && stream_.read_once()) {
      }
    }
    return n;
  }

 private:
  Stream stream_;
};

} // namespace

std::unique_ptr<Work> pipe_throughput(NativeLoop& loop) {
  return std::make_unique<PipeThroughput>(loop);
}

std::unique_ptr<Work> pipe_floor() {
  return std::make_unique<PipeFloor>();
}

} // namespace loopgauge::bench
