// Timers ordered by (deadline, order of scheduling), removable from the middle.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

namespace loopgauge::core {

/// A 4-ary heap: half the levels of a binary one, and the four children of a node lie side by side.
/// Each item is told where it is through `Traits::set_index(item, index)` (npos: not in the heap),
/// so that a cancelled timer is taken out in O(log n) and never stays until its deadline.
/// Does not own the items. One thread at a time. Only push() can throw (std::bad_alloc).
template <class T, class Traits>
class TimerHeap {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);
  /// Capacity that is never given back: 24 KiB of nodes with pointers.
  static constexpr std::size_t kKept = 1024;

  [[nodiscard]] std::size_t size() const noexcept { return nodes_.size(); }
  [[nodiscard]] bool empty() const noexcept { return nodes_.empty(); }
  [[nodiscard]] std::size_t capacity() const noexcept { return nodes_.capacity(); }

  /// The heap must not be empty for these three.
  [[nodiscard]] std::int64_t top_deadline() const noexcept { return nodes_.front().deadline; }
  [[nodiscard]] T top() const noexcept { return nodes_.front().item; }
  T pop() noexcept { return remove(0); }

  /// Deadlines are nanoseconds of now_ns(). Equal deadlines leave in the order of their push.
  void push(std::int64_t deadline, T item) {
    const Node node{deadline, next_sequence_++, item};
    nodes_.push_back(node);
    sift_up(nodes_.size() - 1, node);
  }

  /// `index` is the one last given to Traits::set_index.
  T remove(std::size_t index) noexcept {
    const T removed = nodes_[index].item;
    const Node last = nodes_.back();
    nodes_.pop_back();
    if (index < nodes_.size()) {
      // The last leaf may belong to another branch, and then it can be earlier than the parent.
      if (index > 0 && before(last, nodes_[parent_of(index)])) {
        sift_up(index, last);
      } else {
        sift_down(index, last);
      }
    }
    Traits::set_index(removed, npos);
    if (nodes_.capacity() > kKept && nodes_.size() < nodes_.capacity() / 8) [[unlikely]] {
      shrink();
    }
    return removed;
  }

  /// Calls `f(T)` in no order. `f` must not change the heap.
  template <class F>
  void for_each(F&& f) const {
    for (const Node& node : nodes_) {
      f(node.item);
    }
  }

  /// Takes everything out, then hands each item to `f(T)`, which may run foreign code and push.
  template <class F>
  void clear(F&& f) {
    const std::vector<Node> taken = std::exchange(nodes_, {});
    for (const Node& node : taken) {
      Traits::set_index(node.item, npos);
    }
    for (const Node& node : taken) {
      f(node.item);
    }
  }

 private:
  struct Node {
    std::int64_t deadline;
    std::uint64_t sequence;
    T item;
  };

  static bool before(const Node& a, const Node& b) noexcept {
    return a.deadline < b.deadline || (a.deadline == b.deadline && a.sequence < b.sequence);
  }
  static std::size_t parent_of(std::size_t index) noexcept { return (index - 1) / 4; }

  void place(std::size_t index, const Node& node) noexcept {
    nodes_[index] = node;
    Traits::set_index(node.item, index);
  }

  // Both are handed the node that is to be placed: reading back what was just stored piece by piece
  // is slower than the rest of them.
  void sift_up(std::size_t index, const Node node) noexcept {
    while (index > 0 && before(node, nodes_[parent_of(index)])) {
      place(index, nodes_[parent_of(index)]);
      index = parent_of(index);
    }
    place(index, node);
  }

  void sift_down(std::size_t index, const Node node) noexcept {
    for (std::size_t child = index * 4 + 1; child < nodes_.size(); child = index * 4 + 1) {
      const std::size_t end = std::min(child + 4, nodes_.size());
      for (std::size_t i = child + 1; i < end; ++i) {
        if (before(nodes_[i], nodes_[child])) {
          child = i;
        }
      }
      if (!before(nodes_[child], node)) {
        break;
      }
      place(index, nodes_[child]);
      index = child;
    }
    place(index, node);
  }

  // At an eighth, down to a quarter: paid for by the removals that came before.
  [[gnu::noinline]] void shrink() noexcept {
    try {
      std::vector<Node> smaller;
      smaller.reserve(std::max(kKept, nodes_.size() * 2));
      smaller.insert(smaller.end(), nodes_.begin(), nodes_.end());
      nodes_.swap(smaller);
    } catch (const std::bad_alloc&) {
      // Keeping the larger array is correct, and a later removal tries again.
    }
  }

  std::vector<Node> nodes_;
  std::uint64_t next_sequence_ = 0;
};

} // namespace loopgauge::core
