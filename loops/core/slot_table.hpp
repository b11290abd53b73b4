// What is registered for each descriptor, and the keys that tell an old event from a new one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace loopgauge::core {

/// One slot per descriptor number, one generation per opening of a slot.
///
/// The kernel hands out the lowest free descriptor number, so a number that was just closed is the
/// next one to be opened. An event that was fetched (or is still queued in epoll, for a descriptor
/// that lives on in a duplicate or a forked child) would then reach the new owner. The key carries
/// the generation of the slot; get() answers nullptr for every generation but the open one.
///
/// Pointers stay valid until the next open(). Only open() can throw (std::bad_alloc).
template <class T>
class SlotTable {
 public:
  /// No slot ever has this key.
  static constexpr std::uint64_t kNoKey = 0;

  static constexpr std::uint64_t pack(std::uint32_t slot, std::uint32_t generation) noexcept {
    return (std::uint64_t{generation} << 32) | slot;
  }

  /// Number of open slots.
  [[nodiscard]] std::size_t size() const noexcept { return open_count_; }

  /// Opens the slot of `fd` (at least 0) with a new generation and returns its key. If the slot was
  /// open, its keys die and its value is replaced.
  std::uint64_t open(int fd, T value) {
    const auto slot = static_cast<std::size_t>(fd);
    if (slot >= slots_.size()) {
      slots_.resize(slot + 1);
    }
    Slot& entry = slots_[slot];
    if (entry.is_open()) {
      entry.generation += 2;
    } else {
      entry.generation += 1;
      ++open_count_;
    }
    entry.value = std::move(value);
    return pack(static_cast<std::uint32_t>(fd), entry.generation);
  }

  /// The value that `key` was opened for, or nullptr when that generation is over.
  [[nodiscard]] T* get(std::uint64_t key) noexcept {
    const auto slot = static_cast<std::size_t>(key & 0xffff'ffffU);
    const auto generation = static_cast<std::uint32_t>(key >> 32);
    if (slot >= slots_.size() || slots_[slot].generation != generation || !slots_[slot].is_open()) {
      return nullptr;
    }
    return &slots_[slot].value;
  }

  /// The value open for `fd` now, or nullptr. Any `fd` may be asked.
  [[nodiscard]] T* at(int fd) noexcept {
    Slot* slot = find(fd);
    return slot != nullptr ? &slot->value : nullptr;
  }

  /// The key open for `fd` now, or kNoKey.
  [[nodiscard]] std::uint64_t key_of(int fd) noexcept {
    const Slot* slot = find(fd);
    return slot != nullptr ? pack(static_cast<std::uint32_t>(fd), slot->generation) : kNoKey;
  }

  /// Ends the generation. False when nothing was open for `fd`.
  bool close(int fd) noexcept {
    Slot* slot = find(fd);
    if (slot == nullptr) {
      return false;
    }
    slot->generation += 1;
    slot->value = T{};
    --open_count_;
    return true;
  }

  /// Calls `f(int fd, T&)` for every open slot. `f` must not open or close slots.
  template <class F>
  void for_each(F&& f) {
    for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
      if (slots_[slot].is_open()) {
        f(static_cast<int>(slot), slots_[slot].value);
      }
    }
  }

 private:
  struct Slot {
    // Odd: open. 2^31 openings of one number would have to pass between an event and its dispatch
    // before a generation came back.
    std::uint32_t generation = 0;
    T value{};

    [[nodiscard]] bool is_open() const noexcept { return (generation & 1U) != 0; }
  };

  Slot* find(int fd) noexcept {
    const auto slot = static_cast<std::size_t>(fd);
    return fd >= 0 && slot < slots_.size() && slots_[slot].is_open() ? &slots_[slot] : nullptr;
  }

  std::vector<Slot> slots_;
  std::size_t open_count_ = 0;
};

} // namespace loopgauge::core
