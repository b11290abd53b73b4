// When the operations in flight on a connection were due and sent; answers come in order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace loopgauge::bench {

struct Stamp {
  std::int64_t due;  // when it should have been sent; a closed loop has no other than `sent`
  std::int64_t sent; // when it was
};

// A ring that grows to the most that was ever in flight and then allocates no more.
class Stamps {
 public:
  void push(Stamp stamp) {
    if (count_ == ring_.size())
      grow();
    ring_[(head_ + count_++) & (ring_.size() - 1)] = stamp;
  }
  // The oldest. There must be one.
  Stamp pop() noexcept {
    const Stamp stamp = ring_[head_];
    head_ = (head_ + 1) & (ring_.size() - 1);
    --count_;
    return stamp;
  }
  void clear() noexcept { head_ = count_ = 0; }

 private:
  void grow() {
    std::vector<Stamp> bigger(ring_.empty() ? 1 : 2 * ring_.size());
    for (std::size_t i = 0; i < count_; ++i)
      bigger[i] = ring_[(head_ + i) & (ring_.size() - 1)];
    ring_ = std::move(bigger);
    head_ = 0;
  }

  std::vector<Stamp> ring_; // a power of two long
  std::size_t head_ = 0;
  std::size_t count_ = 0;
};

} // namespace loopgauge::bench
