// The queue of what runs next: a ring whose hot path is one compare and one store.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace loopgauge::core {

/// FIFO of small trivial values (pointers). Does not own what they point to. One thread at a time.
/// Only growing can throw (std::bad_alloc), and then the queue is as before.
template <class T>
class ReadyQueue {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_default_constructible_v<T>);

 public:
  /// Capacity that is never given back: 8 KiB of pointers.
  static constexpr std::size_t kKept = 1024;
  /// From here on (1 MiB of pointers) trim() does not wait for a calm period.
  static constexpr std::size_t kHuge = 131'072;
  /// Calls of trim() in a row that must find the queue nearly empty before it shrinks. Without
  /// this a batch of 5 000 callbacks in every other turn would be reallocated every other turn.
  static constexpr unsigned kCalmTurns = 64;

  [[nodiscard]] std::size_t size() const noexcept { return tail_ - head_; }
  [[nodiscard]] bool empty() const noexcept { return tail_ == head_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

  void push_back(T item) {
    if (size() == capacity_) [[unlikely]] {
      resize(capacity_ == 0 ? kFirst : capacity_ * 2);
    }
    data_[tail_++ & (capacity_ - 1)] = item;
  }

  void push_front(T item) {
    if (size() == capacity_) [[unlikely]] {
      resize(capacity_ == 0 ? kFirst : capacity_ * 2);
    }
    data_[--head_ & (capacity_ - 1)] = item;
  }

  /// The queue must not be empty.
  T pop_front() noexcept { return data_[head_++ & (capacity_ - 1)]; }

  /// Calls `f(T&)` in order. `f` may overwrite the item and must not change the queue.
  template <class F>
  void for_each(F&& f) {
    for (std::size_t i = head_; i != tail_; ++i) {
      f(data_[i & (capacity_ - 1)]);
    }
  }

  /// Takes out what is queued now, oldest first, and hands each to `f(T)`. `f` may run foreign code
  /// and push: that stays queued. Gives all memory back if nothing was pushed.
  template <class F>
  void clear(F&& f) {
    for (std::size_t left = size(); left > 0 && !empty(); --left) {
      f(pop_front());
    }
    if (empty()) {
      data_.reset();
      head_ = tail_ = capacity_ = 0;
    }
  }

  /// Gives memory back after a burst. Call once a turn, when what runs in the next turn is queued.
  void trim() noexcept {
    if (capacity_ > kKept) [[unlikely]] {
      trim_large();
    }
  }

 private:
  static constexpr std::size_t kFirst = 64;

  void trim_large() noexcept {
    if (size() > capacity_ / 8) {
      calm_ = 0;
      return;
    }
    if (++calm_ < kCalmTurns && capacity_ < kHuge) {
      return;
    }
    calm_ = 0;
    try {
      resize(std::max(kKept, std::bit_ceil(size() * 2)));
    } catch (const std::bad_alloc&) {
      // Keeping the larger buffer is correct, and a later call tries again.
    }
  }

  [[gnu::noinline]] void resize(std::size_t capacity) {
    // `new T[]` leaves trivial types uninitialised; make_unique would write every cell.
    std::unique_ptr<T[]> data(new T[capacity]);
    const std::size_t count = size();
    for (std::size_t i = 0; i < count; ++i) {
      data[i] = data_[(head_ + i) & (capacity_ - 1)];
    }
    data_ = std::move(data);
    head_ = 0;
    tail_ = count;
    capacity_ = capacity;
  }

  std::unique_ptr<T[]> data_;
  // Both counters run freely and are masked on use: no wrap-around branch, and size is a
  // subtraction. The capacity is a power of two, so that unsigned overflow changes nothing.
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
  std::size_t capacity_ = 0;
  unsigned calm_ = 0;
};

} // namespace loopgauge::core
