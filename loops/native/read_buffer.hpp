// Where a loop's transports read to, and the bytes objects that they use again and again.
#pragma once

#include <Python.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace loopgauge::py {

/// A bytes object with room for `capacity`, to be filled and trimmed by whoever took it.
struct RoomyBytes {
  PyObject* object = nullptr; // null: no memory, MemoryError is set
  std::size_t capacity = 0;

  char* data() const { return PyBytes_AS_STRING(object); }
  /// Makes it what somebody sees: `size` bytes, at most the capacity, their hash not yet known.
  void trim(std::size_t size) const {
    auto* bytes = reinterpret_cast<PyBytesObject*>(object);
    Py_SET_SIZE(bytes, static_cast<Py_ssize_t>(size));
    bytes->ob_sval[size] = 0;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    bytes->ob_shash = -1;
#pragma GCC diagnostic pop
  }
};

/// The last bytes object that passed through the loop, to be used again when nobody has kept it:
/// saves an allocation, and the copy of a large read, which can go straight into it (1 KiB: 2 %,
/// 64 KiB: 8 % of an echo). Never of less than two bytes: CPython shares those objects.
class RecycledBytes {
 public:
  RecycledBytes() = default;
  RecycledBytes(const RecycledBytes&) = delete;
  RecycledBytes& operator=(const RecycledBytes&) = delete;
  ~RecycledBytes() { Py_XDECREF(last_.object); }

  /// Room for `size` bytes, in the last object if it is free and not much larger.
  RoomyBytes take(std::size_t size) {
    if (last_.object) {
      const bool fits = last_.capacity >= size && last_.capacity <= size + size / 2 + kSlack;
      if (fits && Py_REFCNT(last_.object) == 1)
        return std::exchange(last_, {});
    }
    const std::size_t capacity = size < 2 ? 2 : size;
    return {PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(capacity)), capacity};
  }

  /// The end of a take(), whoever has the object by now: what was only written back to the peer is
  /// free again when it is sent.
  void give_back(RoomyBytes bytes) {
    std::swap(bytes, last_);
    Py_XDECREF(bytes.object);
  }

 private:
  static constexpr std::size_t kSlack = 1024; // bytes that are never worth another object

  RoomyBytes last_;
};

/// Where the transports of a loop read to: kSize bytes for whatever is copied before anybody else
/// reads.
class ReadBuffer {
 public:
  static constexpr std::size_t kSize = 256 * 1024; // _SelectorTransport.max_size

  /// Null with MemoryError.
  char* shared() {
    if (!shared_)
      shared_.reset(new (std::nothrow) char[kSize]);
    if (!shared_)
      PyErr_NoMemory();
    return shared_.get();
  }

 private:
  std::unique_ptr<char[]> shared_;
};

} // namespace loopgauge::py
