// Where a loop's transports read to, and the bytes objects that they hand to protocols.
#pragma once

#include <Python.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace loopgauge::py {

/// Bytes that were read or will be, with room for `capacity`. `object` is the only reference.
struct ReadBytes {
  PyObject* object = nullptr;
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

/// One per loop.
///
/// A protocol that has looked at its data and lets them go leaves the only reference here: the
/// object is used for the next read. That saves an allocation and, for large reads, which go
/// straight into it, a copy (1 KiB: 2 %, 64 KiB: 8 % of an echo). Never shorter than two bytes:
/// CPython shares those objects.
class ReadBuffer {
 public:
  static constexpr std::size_t kSize = 256 * 1024; // _SelectorTransport.max_size

  ReadBuffer() = default;
  ReadBuffer(const ReadBuffer&) = delete;
  ReadBuffer& operator=(const ReadBuffer&) = delete;
  ~ReadBuffer() { Py_XDECREF(spare_.object); }

  /// kSize bytes for whatever is copied before anybody else reads; null with MemoryError.
  char* shared() {
    if (!shared_)
      shared_.reset(new (std::nothrow) char[kSize]);
    if (!shared_)
      PyErr_NoMemory();
    return shared_.get();
  }

  /// Room for `size` bytes, the recycled object if it is not much larger. Null with MemoryError.
  ReadBytes take(std::size_t size) {
    if (spare_.object && spare_.capacity >= size && spare_.capacity <= size + size / 2 + kSlack)
      return std::exchange(spare_, {});
    const std::size_t capacity = size < 2 ? 2 : size;
    return {PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(capacity)), capacity};
  }

  /// The end of a take(), whoever has the object by now.
  void give_back(ReadBytes bytes) {
    if (Py_REFCNT(bytes.object) == 1)
      std::swap(bytes, spare_);
    Py_XDECREF(bytes.object);
  }

 private:
  static constexpr std::size_t kSlack = 1024; // bytes that are never worth another object

  std::unique_ptr<char[]> shared_;
  ReadBytes spare_;
};

} // namespace loopgauge::py
