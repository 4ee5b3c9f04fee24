// The other side of Moorline's wire formats in plain C++ without Moorline, after docs/wire.md.
//   plain MOORLINE_PEER FORMAT   runs the conversations of that format with Moorline, in both directions, and what it must
//                                refuse
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace {

constexpr std::uint32_t largest = 200'000;

void check_at(bool condition, int line, const char* what) {
    if (!condition) {
        std::fprintf(stderr, "%s:%d: %s\n", __FILE__, line, what);
        std::exit(1);
    }
}
#define CHECK(condition) check_at(condition, __LINE__, #condition)

std::uint32_t crc32c(const std::string& data) {
    std::uint32_t crc = ~0U;
    for (const char byte : data) {
        crc ^= static_cast<unsigned char>(byte);
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0x82f63b78U : 0U);  // the polynomial 0x1edc6f41, reflected
        }
    }
    return ~crc;
}

std::string big_endian(std::uint32_t number, unsigned size = 4) {
    std::string bytes;
    while (size-- > 0) {
        bytes += static_cast<char>(number >> (8 * size));
    }
    return bytes;
}

std::uint32_t from_big_endian(const std::string& bytes) {
    std::uint32_t number = 0;
    for (const char byte : bytes) {
        number = number << 8U | static_cast<unsigned char>(byte);
    }
    return number;
}

std::string reversed(const std::string& bytes) { return {bytes.rbegin(), bytes.rend()}; }

class Stream {
public:
    explicit Stream(int descriptor) : descriptor_(descriptor) { CHECK(descriptor >= 0); }
    ~Stream() { close(descriptor_); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    void send(const std::string& bytes) const {
        for (std::size_t sent = 0; sent < bytes.size();) {
            const ssize_t count = write(descriptor_, bytes.data() + sent, bytes.size() - sent);
            CHECK(count > 0);
            sent += static_cast<std::size_t>(count);
        }
    }

    // Exactly so many bytes, or none at the end of the stream.
    std::optional<std::string> receive(std::size_t size) const {
        std::string bytes(size, '\0');
        for (std::size_t have = 0; have < size;) {
            const ssize_t count = read(descriptor_, &bytes[have], size - have);
            CHECK(count > 0 || (count == 0 && have == 0));
            if (count == 0) {
                return std::nullopt;
            }
            have += static_cast<std::size_t>(count);
        }
        return bytes;
    }

    void end_sending() const { CHECK(shutdown(descriptor_, SHUT_WR) == 0); }

private:
    int descriptor_;
};

struct Format {
    virtual ~Format() = default;
    virtual void begin(const Stream&) const {}
    virtual std::string encode(const std::string& message) const = 0;
    virtual std::optional<std::string> receive(const Stream& stream) const = 0;
};

struct LengthFirst : Format {
    explicit LengthFirst(bool little_endian) : little(little_endian) {}
    std::string encode(const std::string& message) const override {
        const std::string length = big_endian(static_cast<std::uint32_t>(message.size()));
        return (little ? reversed(length) : length) + message;
    }
    std::optional<std::string> receive(const Stream& stream) const override {
        const auto length = stream.receive(4);
        return length ? stream.receive(from_big_endian(little ? reversed(*length) : *length)) : std::nullopt;
    }
    bool little;
};

struct Lines : Format {
    std::string encode(const std::string& message) const override { return message + "\n"; }
    std::optional<std::string> receive(const Stream& stream) const override {
        std::string line;
        while (const auto byte = stream.receive(1)) {
            if (*byte == "\n") {
                return line.empty() || line.back() != '\r' ? line : line.substr(0, line.size() - 1);
            }
            line += *byte;
        }
        return line.empty() ? std::nullopt : std::optional(line);
    }
};

std::string greeting(std::uint32_t version, const std::string& name, std::uint32_t protocol = 1) {
    const std::string head = "MOOR" + big_endian(protocol, 2) + big_endian(0, 2) + big_endian(largest) + big_endian(version) +
                             big_endian(static_cast<std::uint32_t>(name.size()), 1) + name;
    return head + big_endian(crc32c(head));
}

struct Checked : Format {
    void begin(const Stream& stream) const override {
        const std::string expected = greeting(7, "interop");
        stream.send(expected);
        CHECK(stream.receive(expected.size()) == expected);
    }
    std::string encode(const std::string& message) const override {
        const std::string length = big_endian(static_cast<std::uint32_t>(message.size()));
        return length + big_endian(crc32c(length + message)) + message;
    }
    std::optional<std::string> receive(const Stream& stream) const override {
        const auto head = stream.receive(8);
        if (!head) {
            return std::nullopt;
        }
        auto message = stream.receive(from_big_endian(head->substr(0, 4)));
        CHECK(message.has_value());
        CHECK(from_big_endian(head->substr(4)) == crc32c(head->substr(0, 4) + *message));
        return message;
    }
};

sockaddr_un address(const std::string& path) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    CHECK(path.size() < sizeof address.sun_path);
    path.copy(address.sun_path, path.size());
    return address;
}

int new_socket() { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }

// The program that uses Moorline.
class Peer {
public:
    Peer(std::string program, std::string mode, std::string path, std::string format) {
        std::array<int, 2> output;
        CHECK(pipe(output.data()) == 0);
        process_ = fork();
        CHECK(process_ >= 0);
        if (process_ == 0) {
            dup2(output[1], STDOUT_FILENO);
            close(output[0]);
            close(output[1]);
            std::array<char*, 5> arguments = {program.data(), mode.data(), path.data(), format.data(), nullptr};
            execv(program.c_str(), arguments.data());
            _exit(127);
        }
        close(output[1]);
        output_ = std::make_unique<Stream>(output[0]);
    }

    std::string line() const {
        std::string line;
        for (auto byte = output_->receive(1); byte && *byte != "\n"; byte = output_->receive(1)) {
            line += *byte;
        }
        return line;
    }

    void ends_with(const std::string& expected) const {
        const std::string answer = line();
        if (answer != expected) {
            std::fprintf(stderr, "Moorline's side ended with %s, not with %s\n", answer.c_str(), expected.c_str());
            std::exit(1);
        }
        int status = 0;
        CHECK(waitpid(process_, &status, 0) == process_);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }

private:
    pid_t process_;
    std::unique_ptr<Stream> output_;
};

class Test {
public:
    Test(std::string program, std::string format, std::string directory)
        : program_(std::move(program)), format_(std::move(format)), directory_(std::move(directory)) {
        if (format_ == "lines") {
            codec_ = std::make_unique<Lines>();
        } else if (format_ == "checked") {
            codec_ = std::make_unique<Checked>();
        } else {
            CHECK(format_ == "big_endian" || format_ == "little_endian");
            codec_ = std::make_unique<LengthFirst>(format_ == "little_endian");
        }
    }

    void moorline_serves() const {
        const Peer peer(program_, "serve", path(), format_);
        const auto stream = connect_to(peer);
        codec_->begin(*stream);
        for (const std::string& message :
             {std::string("one"), std::string(), std::string("\0\xff between", 10), std::string(100'000, 'x')}) {
            stream->send(codec_->encode(message));
            CHECK(codec_->receive(*stream) == message);
        }
        stream->end_sending();
        peer.ends_with("DISCONNECTED");
    }

    void moorline_connects() const {
        const int listening = new_socket();
        const Stream listener(listening);
        const sockaddr_un name = address(path());
        CHECK(bind(listening, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0 && listen(listening, 1) == 0);
        const Peer peer(program_, "connect", path(), format_);
        const Stream stream(accept(listening, nullptr, nullptr));
        codec_->begin(stream);
        while (const auto message = codec_->receive(stream)) {
            stream.send(codec_->encode(*message));
        }
        peer.ends_with("OK");
        CHECK(unlink(path().c_str()) == 0);
    }

    void moorline_refuses() const {
        if (format_ == "checked") {
            refused(greeting(8, "interop"), "MISMATCH");
            refused(greeting(7, "another"), "MISMATCH");
            refused(greeting(7, "interop", 2), "MISMATCH");
            refused("MOOT" + greeting(7, "interop").substr(4), "MISMATCH");
            refused(greeting(7, "interop") + big_endian(1) + big_endian(0) + "x", "MALFORMED");
            refused(greeting(7, "interop") + big_endian(largest + 1) + big_endian(0), "MESSAGE_TOO_LARGE");
        } else if (format_ == "lines") {
            refused(std::string(largest + 2, 'x'), "MESSAGE_TOO_LARGE");
        } else {
            const std::string length = big_endian(largest + 1);
            refused(format_ == "little_endian" ? reversed(length) : length, "MESSAGE_TOO_LARGE");
        }
    }

private:
    std::string path() const { return directory_ + "/name"; }

    std::unique_ptr<Stream> connect_to(const Peer& peer) const {
        CHECK(peer.line() == "listening");
        const int descriptor = new_socket();
        const sockaddr_un name = address(path());
        CHECK(connect(descriptor, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
        return std::make_unique<Stream>(descriptor);
    }

    void refused(const std::string& bytes, const char* expected) const {
        const Peer peer(program_, "serve", path(), format_);
        const auto stream = connect_to(peer);
        stream->send(bytes);
        peer.ends_with(expected);
    }

    std::string program_;
    std::string format_;
    std::string directory_;
    std::unique_ptr<Format> codec_;
};

}  // namespace

int main(int argc, char** argv) {
    CHECK(argc == 3);
    CHECK(crc32c("123456789") == 0xe3069283U);
    signal(SIGPIPE, SIG_IGN);
    alarm(120);
    char directory[] = "/tmp/moorline-interop-XXXXXX";
    CHECK(mkdtemp(directory) != nullptr);
    const Test test(argv[1], argv[2], directory);
    test.moorline_serves();
    test.moorline_connects();
    test.moorline_refuses();
    CHECK(rmdir(directory) == 0);
}
