// Bytes that wait to be sent.
#pragma once

#include <Python.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstddef>
#include <sys/socket.h>
#include <sys/uio.h>
#include <vector>

#include "loops/core/syscall.hpp"

namespace loopgauge::py {

/// Chunks of bytes objects, in order. Holds them by reference: nothing is copied or joined.
class WriteQueue {
 public:
  WriteQueue() = default;
  WriteQueue(const WriteQueue&) = delete;
  WriteQueue& operator=(const WriteQueue&) = delete;
  ~WriteQueue() { clear(); }

  [[nodiscard]] bool empty() const noexcept { return bytes_ == 0; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

  /// Appends `bytes` (a bytes object, borrowed) from `skip` on; not empty. Throws std::bad_alloc.
  void push(PyObject* bytes, std::size_t skip = 0) {
    const std::size_t size = static_cast<std::size_t>(PyBytes_GET_SIZE(bytes)) - skip;
    chunks_.push_back({bytes, PyBytes_AS_STRING(bytes) + skip, size});
    Py_INCREF(bytes);
    bytes_ += size;
  }

  /// Sends as much as the socket takes now, a system call for every kVectors chunks. The count, or
  /// the errno of the first of them.
  core::Result<ssize_t> send(int socket) {
    core::Result<ssize_t> sent{};
    for (;;) {
      const std::size_t beyond = count() - std::min(count(), kVectors);
      const core::Result<ssize_t> taken = send_once(socket);
      if (!taken.ok())
        return sent.value > 0 ? sent : taken;
      consume(static_cast<std::size_t>(taken.value));
      sent.value += taken.value;
      if (beyond == 0 || count() > beyond)
        return sent;
    }
  }

  /// The same by one writev(), for pipes and terminals.
  core::Result<ssize_t> write(int fd) {
    std::array<iovec, kVectors> vectors;
    const int count = static_cast<int>(fill(vectors));
    const core::Result<ssize_t> sent = core::sys::checked(::writev(fd, vectors.data(), count));
    if (sent.ok())
      consume(static_cast<std::size_t>(sent.value));
    return sent;
  }

  void clear() noexcept {
    for (std::size_t i = head_; i < chunks_.size(); ++i)
      Py_DECREF(chunks_[i].owner);
    chunks_.clear();
    head_ = bytes_ = 0;
  }

 private:
  static constexpr std::size_t kVectors = 64; // 1 KiB of stack; more did not pay

  struct Chunk {
    PyObject* owner; // strong
    const char* data;
    std::size_t size;
  };

  [[nodiscard]] std::size_t count() const noexcept { return chunks_.size() - head_; }

  [[nodiscard]] core::Result<ssize_t> send_once(int socket) const {
    if (count() == 1) {
      const Chunk& only = chunks_[head_];
      return core::sys::checked(::send(socket, only.data, only.size, MSG_NOSIGNAL));
    }
    std::array<iovec, kVectors> vectors;
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = fill(vectors);
    return core::sys::checked(::sendmsg(socket, &message, MSG_NOSIGNAL));
  }

  std::size_t fill(std::array<iovec, kVectors>& vectors) const {
    const std::size_t filled = std::min(count(), kVectors);
    for (std::size_t i = 0; i < filled; ++i) {
      const Chunk& chunk = chunks_[head_ + i];
      vectors[i] = {const_cast<char*>(chunk.data), chunk.size};
    }
    return filled;
  }

  // No Python code runs: what is released are bytes objects.
  void consume(std::size_t size) {
    bytes_ -= size;
    while (size > 0) {
      Chunk& chunk = chunks_[head_];
      if (size < chunk.size) {
        chunk.data += size;
        chunk.size -= size;
        return;
      }
      size -= chunk.size;
      Py_DECREF(chunk.owner);
      ++head_;
    }
    if (head_ == chunks_.size()) {
      chunks_.clear();
      head_ = 0;
    } else if (head_ >= 1024 && head_ * 2 > chunks_.size()) {
      chunks_.erase(chunks_.begin(), chunks_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
  }

  std::vector<Chunk> chunks_;
  std::size_t head_ = 0;
  std::size_t bytes_ = 0;
};

} // namespace loopgauge::py
