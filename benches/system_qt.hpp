// The same source for Qt's classes and for ours: a thread with a server that echoes, and the clients in the main thread, both
// with Qt's event loop. Sending is left to the event loop, as QLocalSocket::flush's documentation advises.
#pragma once

#include <QtCore/QCoreApplication>
#include <QtCore/QEventLoop>
#include <QtCore/QSemaphore>
#include <QtCore/QString>
#include <QtCore/QThread>

#include <memory>
#include <vector>

#include "system.hpp"

namespace bench {

// There is one in a process, and none before a fork.
inline void start_application() {
    static int argc = 1;
    static char name[] = "bench";
    static char* argv[] = {name, nullptr};
    static const QCoreApplication application(argc, argv);
}

template <class LocalServer, class LocalSocket>
class QtServer {
public:
    static constexpr bool tunable = false;

    explicit QtServer(const Request&) : thread_(path_.text()) {
        start_application();
        thread_.start();
        thread_.wait_until_listening();
    }
    ~QtServer() {
        thread_.quit();
        thread_.wait();
    }

    std::string address() const { return path_.text(); }

private:
    class Thread : public QThread {
    public:
        explicit Thread(const std::string& path) : path_(QString::fromStdString(path)) {}

        void wait_until_listening() { listening_.acquire(); }

    protected:
        void run() override {
            LocalServer server;
            // Qt's own limits are 30 and 50.
            server.setMaxPendingConnections(1 << 20);
            server.setListenBacklogSize(4096);
            QObject::connect(&server, &LocalServer::newConnection, &server, [&server] {
                while (LocalSocket* socket = server.nextPendingConnection()) {
                    QObject::connect(socket, &LocalSocket::readyRead, socket, [socket] { socket->write(socket->readAll()); });
                }
            });
            if (!server.listen(path_)) {
                fail("listen: " + server.errorString().toStdString());
            }
            listening_.release();
            exec();
        }

    private:
        const QString path_;
        QSemaphore listening_;
    };

    SocketPath path_;
    Thread thread_;
};

template <class LocalSocket>
class QtClient {
public:
    QtClient(const std::string& path, const Request& request) : work_(request.connections + request.idle, request.chunk) {
        start_application();
        loop_ = std::make_unique<QEventLoop>();
        for (std::size_t i = 0; i < work_.connections(); ++i) {
            auto socket = std::make_unique<LocalSocket>();
            socket->connectToServer(QString::fromStdString(path));
            if (!socket->waitForConnected(10'000)) {
                fail("connect: " + socket->errorString().toStdString());
            }
            QObject::connect(socket.get(), &LocalSocket::readyRead, socket.get(), [this, i] { receive(i); });
            sockets_.push_back(std::move(socket));
        }
    }

    Workload& work() { return work_; }

    void begin() {
        for (std::size_t i = 0; i < sockets_.size(); ++i) {
            send_next(i);
        }
    }

    void run() { loop_->exec(); }

private:
    void send_next(std::size_t index) {
        const auto [data, length] = work_.to_send(index);
        if (length > 0) {
            sockets_[index]->write(data, static_cast<qint64>(length));
            work_.sent(index, length);
        }
    }

    void receive(std::size_t index) {
        const QByteArray data = sockets_[index]->readAll();
        if (!data.isEmpty() && work_.received(index, data.constData(), static_cast<std::size_t>(data.size()))) {
            send_next(index);
        } else if (work_.is_done()) {
            loop_->quit();
        }
    }

    Workload work_;
    std::vector<std::unique_ptr<LocalSocket>> sockets_;
    std::unique_ptr<QEventLoop> loop_;
};

}  // namespace bench
