#include "loops/native/peer_cache.hpp"

#include <cstddef>
#include <cstring>
#include <utility>

#include "loops/native/pyref.hpp"

namespace loopgauge::py {
namespace {

// Bytes that tell one address from another: the padding of IPv4's does not.
std::size_t significant(const SocketAddress& address) {
  return address.storage.ss_family == AF_INET ? offsetof(sockaddr_in, sin_zero)
                                              : sizeof(sockaddr_in6);
}

std::size_t hash_of(const unsigned char* bytes, std::size_t size) {
  std::uint64_t hash = 0, word;
  for (std::size_t at = 0; at + sizeof(word) <= size; at += sizeof(word)) {
    std::memcpy(&word, bytes + at, sizeof(word));
    hash = (hash ^ word) * 0x9E37'79B9'7F4A'7C15U; // 2^64 divided by the golden ratio
    hash ^= hash >> 32;
  }
  return static_cast<std::size_t>(hash);
}

} // namespace

PeerCache::~PeerCache() {
  for (const auto& set : sets_) {
    for (const Entry& entry : set)
      Py_XDECREF(entry.object);
  }
}

const PeerCache::Entry* PeerCache::find(const SocketAddress& address) {
  const std::size_t used = significant(address);
  const auto* bytes = reinterpret_cast<const unsigned char*>(&address.storage);
  auto& set = sets_[hash_of(bytes, used) % kSets];
  for (const Entry& entry : set) {
    if (entry.size == address.size && std::memcmp(entry.bytes, bytes, used) == 0)
      return &entry;
  }
  PyObject* object = address_to_python(address);
  if (!object)
    return nullptr;
  Entry& entry = set[victim_++ % kWays];
  const Ref old(std::exchange(entry.object, object));
  entry.size = address.size;
  std::memcpy(entry.bytes, bytes, sizeof(entry.bytes));
  return &entry;
}

} // namespace loopgauge::py
