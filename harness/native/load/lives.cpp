#include "load/lives.hpp"

namespace loopgauge::bench {

ConnectionLives::ConnectionLives(Shared& shared, const Pattern& pattern, Position start,
                                 std::size_t size)
    : shared_(shared), pattern_(pattern), start_(start), size_(size) {}

void ConnectionLives::start(std::int64_t) {
  const std::size_t size = size_ ? size_ : 1; // of the checker, which then expects nothing
  life_ = std::make_unique<StreamConnection>(shared_, Outgoing(pattern_, start_),
                                             echo_checker(pattern_, start_, size),
                                             Framing::messages, size);
  ++generation_;
  stage_ = Stage::opening;
  if (life_->open())
    begin();
}

std::int64_t ConnectionLives::ready(std::uint32_t events) {
  if (stage_ == Stage::opening) {
    if (life_->open())
      begin();
    return 0;
  }
  if (stage_ == Stage::talking) {
    if (life_->ready(events) == 1)
      finish();
    return 0; // the server's end of file is an event of its own
  }
  if (!life_->ended())
    return 0;
  ++shared_.progress;
  life_.reset();
  return 1;
}

std::string ConnectionLives::where() const {
  return stage_ == Stage::ending ? "for the server's end of file" : life_ ? life_->where() : "";
}

void ConnectionLives::begin() {
  stage_ = Stage::talking;
  if (size_ == 0)
    finish();
  else
    life_->start(1);
}

void ConnectionLives::finish() {
  stage_ = Stage::ending;
  life_->finish();
  ++shared_.progress;
}

} // namespace loopgauge::bench
