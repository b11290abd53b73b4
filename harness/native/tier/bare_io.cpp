#include "tier/bare_io.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "loops/core/fd.hpp"
#include "tier/backend.hpp"

namespace loopgauge::bench {
namespace {

using core::UniqueFd;

[[noreturn]] void fail(const char* what) {
  throw NativeFailure(std::string(what) + ": " + std::strerror(errno));
}

UniqueFd counter(unsigned initial) {
  UniqueFd fd(::eventfd(initial, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!fd)
    fail("eventfd");
  return fd;
}

// An epoll instance, and the idle descriptors that it watches.
class Watching : public Work {
 public:
  explicit Watching(const std::vector<int>& idle) {
    if (!epoll_)
      fail("epoll_create1");
    for (const int fd : idle)
      add(fd);
  }

 protected:
  void add(int fd) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) < 0)
      fail("epoll_ctl");
  }

  void remove(int fd) const {
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr) < 0)
      fail("epoll_ctl");
  }

  // Waits until `fd` is readable, and nothing else is.
  void expect(int fd) {
    int count = 0;
    do
      count = ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), -1);
    while (count < 0 && errno == EINTR);
    if (count < 0)
      fail("epoll_wait");
    if (count != 1 || events_[0].data.fd != fd)
      throw NativeFailure("a descriptor was reported that is not readable");
  }

 private:
  UniqueFd epoll_{::epoll_create1(EPOLL_CLOEXEC)};
  std::array<epoll_event, 1024> events_{};
};

class IdleFds final : public Watching {
 public:
  explicit IdleFds(const std::vector<int>& idle) : Watching(idle) {
    for (const UniqueFd& fd : ring_)
      add(fd.get());
  }

  std::int64_t run(std::int64_t n) override {
    std::uint64_t value = 1;
    write(ring_[0].get(), value);
    for (std::int64_t done = 0; done < n; ++done) {
      const int fd = ring_[static_cast<std::size_t>(done % 2)].get();
      expect(fd);
      if (::read(fd, &value, sizeof value) != sizeof value)
        fail("reading an eventfd");
      if (done + 1 < n)
        write(ring_[static_cast<std::size_t>((done + 1) % 2)].get(), 1);
    }
    return n;
  }

 private:
  static void write(int fd, std::uint64_t value) {
    if (::write(fd, &value, sizeof value) != sizeof value)
      fail("writing an eventfd");
  }

  std::array<UniqueFd, 2> ring_{counter(0), counter(0)};
};

class ReaderChurn final : public Watching {
 public:
  explicit ReaderChurn(const std::vector<int>& idle) : Watching(idle) {
    for (UniqueFd& fd : ring_)
      fd = counter(1);
  }

  std::int64_t run(std::int64_t n) override {
    for (std::int64_t done = 0; done < n; ++done) {
      const int fd = ring_[static_cast<std::size_t>(done) % ring_.size()].get();
      add(fd);
      expect(fd);
      remove(fd);
    }
    return n;
  }

 private:
  std::array<UniqueFd, 8> ring_;
};

UniqueFd open_file(const std::string& path, int flags) {
  UniqueFd file(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  if (!file)
    fail(path.c_str());
  return file;
}

class FileRead final : public Work {
 public:
  FileRead(std::string path, std::string content)
      : path_(std::move(path)), content_(std::move(content)) {}

  std::int64_t run(std::int64_t n) override {
    for (std::int64_t done = 0; done < n; ++done) {
      // Uninitialised, and new each time, as bytes objects are.
      const std::unique_ptr<char[]> data(new char[content_.size() + 1]);
      const UniqueFd file = open_file(path_, O_RDONLY);
      std::size_t size = 0;
      while (true) {
        const ssize_t got = ::read(file.get(), data.get() + size, content_.size() + 1 - size);
        if (got < 0)
          fail("reading a file");
        size += static_cast<std::size_t>(got);
        if (got == 0 || size > content_.size())
          break;
      }
      if (std::string_view(data.get(), size) != content_)
        throw NativeFailure("the bytes that were read are not those of the file");
    }
    return n;
  }

 private:
  std::string path_;
  std::string content_;
};

class FileCopy final : public Work {
 public:
  FileCopy(std::string source, std::string target, std::size_t piece)
      : source_(std::move(source)), target_(std::move(target)), piece_(piece) {}

  std::int64_t run(std::int64_t n) override {
    for (std::int64_t done = 0; done < n; ++done) {
      const UniqueFd source = open_file(source_, O_RDONLY);
      const UniqueFd target = open_file(target_, O_WRONLY | O_CREAT | O_TRUNC);
      while (copy_piece(source.get(), target.get())) {
      }
    }
    return n;
  }

 private:
  bool copy_piece(int source, int target) {
    const ssize_t got = ::read(source, piece_.data(), piece_.size());
    if (got < 0)
      fail("reading a file");
    if (got > 0 && ::write(target, piece_.data(), static_cast<std::size_t>(got)) != got)
      fail("writing a file");
    return got > 0;
  }

  std::string source_;
  std::string target_;
  std::vector<char> piece_;
};

} // namespace

std::unique_ptr<Work> bare_idle_fds(const std::vector<int>& idle) {
  return std::make_unique<IdleFds>(idle);
}

std::unique_ptr<Work> bare_reader_churn(const std::vector<int>& idle) {
  return std::make_unique<ReaderChurn>(idle);
}

std::unique_ptr<Work> bare_file_read(const std::string& path, const std::string& content) {
  return std::make_unique<FileRead>(path, content);
}

std::unique_ptr<Work> bare_file_copy(const std::string& source, const std::string& target,
                                     std::size_t piece) {
  return std::make_unique<FileCopy>(source, target, piece);
}

} // namespace loopgauge::bench
