#include "load/tls.hpp"

#include <algorithm>
#include <array>
#include <climits>
#include <dlfcn.h>
#include <memory>

#include "load/error.hpp"

namespace loopgauge::bench {
namespace {

// The part of OpenSSL's interface that is used here, the same since 1.1.0: opaque pointers and
// numbers that are part of its ABI (openssl/ssl.h).
constexpr int want_read = 2, want_write = 3, syscall_failed = 5, zero_return = 6;
constexpr int verify_peer = 1;
constexpr int ctrl_mode = 33, ctrl_server_name = 55;
constexpr long mode_partial_write = 1, mode_moving_buffer = 2;

struct Library {
  void* (*client_method)();
  void* (*context_new)(const void*);
  void (*context_free)(void*);
  long (*context_ctrl)(void*, int, long, void*);
  void (*context_verify)(void*, int, void*);
  int (*context_trust)(void*, const char*, const char*);
  void* (*session_new)(void*);
  void (*session_free)(void*);
  int (*set_fd)(void*, int);
  int (*set_host)(void*, const char*);
  long (*session_ctrl)(void*, int, long, void*);
  int (*connect)(void*);
  int (*read)(void*, void*, int);
  int (*write)(void*, const void*, int);
  int (*shutdown)(void*);
  int (*error_of)(const void*, int);
  unsigned long (*next_error)();
  void (*clear_errors)();
  void (*error_text)(unsigned long, char*, std::size_t);
};

struct Loaded {
  Library library{};
  std::string problem;
};

Loaded load() {
  Loaded loaded;
  void* handle = nullptr;
  for (const char* soname : {"libssl.so.3", "libssl.so.1.1"})
    if (!handle)
      handle = ::dlopen(soname, RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    loaded.problem = "OpenSSL's libssl.so.3 is not installed (Debian: libssl3)";
    return loaded;
  }
  const auto find = [&](auto& function, const char* symbol) {
    void* found = ::dlsym(handle, symbol);
    if (!found)
      loaded.problem = std::string("OpenSSL's library has no ") + symbol;
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(found);
  };
  Library& ssl = loaded.library;
  find(ssl.client_method, "TLS_client_method");
  find(ssl.context_new, "SSL_CTX_new");
  find(ssl.context_free, "SSL_CTX_free");
  find(ssl.context_ctrl, "SSL_CTX_ctrl");
  find(ssl.context_verify, "SSL_CTX_set_verify");
  find(ssl.context_trust, "SSL_CTX_load_verify_locations");
  find(ssl.session_new, "SSL_new");
  find(ssl.session_free, "SSL_free");
  find(ssl.set_fd, "SSL_set_fd");
  find(ssl.set_host, "SSL_set1_host");
  find(ssl.session_ctrl, "SSL_ctrl");
  find(ssl.connect, "SSL_connect");
  find(ssl.read, "SSL_read");
  find(ssl.write, "SSL_write");
  find(ssl.shutdown, "SSL_shutdown");
  find(ssl.error_of, "SSL_get_error");
  // Found through libssl's own dependency on libcrypto.
  find(ssl.next_error, "ERR_get_error");
  find(ssl.clear_errors, "ERR_clear_error");
  find(ssl.error_text, "ERR_error_string_n");
  return loaded;
}

const Loaded& loaded() {
  static const Loaded result = load();
  return result;
}

const Library& library() {
  if (!loaded().problem.empty())
    throw LoadError(Failure::unavailable, "no TLS: " + loaded().problem);
  return loaded().library;
}

std::string error_text(const Library& ssl) {
  std::array<char, 256> text{};
  ssl.error_text(ssl.next_error(), text.data(), text.size());
  return text.data();
}

class TlsStream final : public Stream {
 public:
  TlsStream(const Library& ssl, void* context, core::UniqueFd fd, const std::string& server_name,
            bool verify)
      : Stream(std::move(fd)), ssl_(ssl), session_(ssl.session_new(context), ssl.session_free) {
    if (!session_)
      throw LoadError(Failure::unavailable, "TLS: " + error_text(ssl_));
    ssl_.set_fd(session_.get(), this->fd());
    if (server_name.empty())
      return;
    ssl_.session_ctrl(session_.get(), ctrl_server_name, 0, const_cast<char*>(server_name.c_str()));
    if (verify)
      ssl_.set_host(session_.get(), server_name.c_str());
  }

  bool establish() override {
    ssl_.clear_errors();
    const int result = ssl_.connect(session_.get());
    if (result == 1)
      return true;
    (void)moved(result, Failure::refused, "TLS handshake");
    return false;
  }
  [[nodiscard]] bool establish_wants_write() const override { return wants_write_; }
  [[nodiscard]] bool hides_input() const override { return true; }

  Moved read(std::span<char> into) override {
    ssl_.clear_errors();
    return moved(ssl_.read(session_.get(), into.data(), length(into.size())), Failure::lost,
                 "reading TLS");
  }

  Moved write(std::span<const char> data) override {
    ssl_.clear_errors();
    const Moved sent = moved(ssl_.write(session_.get(), data.data(), length(data.size())),
                             Failure::lost, "writing TLS");
    if (sent.end)
      throw LoadError(Failure::lost, "writing TLS: the server has closed the connection");
    return sent;
  }

  void finish() override {
    ssl_.clear_errors();
    (void)ssl_.shutdown(session_.get()); // close_notify; one that cannot be sent is not missed
    Stream::finish();
  }

 private:
  static int length(std::size_t size) {
    return static_cast<int>(std::min<std::size_t>(size, INT_MAX));
  }

  Moved moved(int result, Failure kind, const std::string& what) {
    wants_write_ = false;
    if (result > 0)
      return {static_cast<std::size_t>(result), false};
    const int system_error = errno;
    const int error = ssl_.error_of(session_.get(), result);
    wants_write_ = error == want_write;
    if (error == want_read || error == want_write)
      return {};
    if (error == zero_return)
      return {0, true};
    if (error == syscall_failed && system_error != 0)
      throw LoadError(kind, with_errno(what, system_error));
    throw LoadError(kind, what + ": " + error_text(ssl_));
  }

  const Library& ssl_;
  std::unique_ptr<void, void (*)(void*)> session_;
  bool wants_write_ = false;
};

} // namespace

struct Tls::Context {
  const Library& ssl;
  std::unique_ptr<void, void (*)(void*)> pointer;
  std::string server_name;
  bool verify;
};

Tls::Tls(const std::string& server_name, const std::string& certificates) {
  const Library& ssl = library();
  context_ =
      std::make_unique<Context>(Context{ssl,
                                        {ssl.context_new(ssl.client_method()), ssl.context_free},
                                        server_name,
                                        !certificates.empty()});
  void* context = context_->pointer.get();
  if (!context)
    throw LoadError(Failure::unavailable, "TLS: " + error_text(ssl));
  ssl.context_ctrl(context, ctrl_mode, mode_partial_write | mode_moving_buffer, nullptr);
  if (certificates.empty())
    return;
  if (ssl.context_trust(context, certificates.c_str(), nullptr) != 1)
    throw LoadError(Failure::usage,
                    "no certificates in '" + certificates + "': " + error_text(ssl));
  ssl.context_verify(context, verify_peer, nullptr);
}

Tls::~Tls() = default;

std::unique_ptr<Stream> Tls::wrap(core::UniqueFd fd) const {
  return std::make_unique<TlsStream>(context_->ssl, context_->pointer.get(), std::move(fd),
                                     context_->server_name, context_->verify);
}

std::string Tls::unavailable() {
  return loaded().problem;
}

} // namespace loopgauge::bench
