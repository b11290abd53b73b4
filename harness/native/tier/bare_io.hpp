// Floors of the io family that have no client: watched descriptors and files, as bare system calls.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "tier/work.hpp"

namespace loopgauge::bench {

/// A round of epoll finds one readable descriptor among `idle`, which belong to the caller and are
/// never readable. As io.idle_fds.
std::unique_ptr<Work> bare_idle_fds(const std::vector<int>& idle);

/// A readable descriptor is registered, found by a round of epoll, and removed. As
/// io.add_reader_churn.
std::unique_ptr<Work> bare_reader_churn(const std::vector<int>& idle);

/// A file is opened, read into new memory, and closed; it must hold `content`. As
/// io.file_read_executor, on the calling thread.
std::unique_ptr<Work> bare_file_read(const std::string& path, const std::string& content);

/// A file is copied, `piece` bytes a read and a write. As io.file_copy, on the calling thread.
std::unique_ptr<Work> bare_file_copy(const std::string& source, const std::string& target,
                                     std::size_t piece);

} // namespace loopgauge::bench
