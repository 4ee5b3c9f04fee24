// A server that lets nobody in.
#ifndef MOORLINE_TESTS_QT_FULLSERVER_H
#define MOORLINE_TESTS_QT_FULLSERVER_H

#include "subject.h"

#include <QtCore/QDir>
#include <QtCore/QFile>

#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/// A listening socket whose backlog is full: nobody accepts.
class FullServer {
public:
    FullServer() : path(QDir::tempPath() + QLatin1Char('/') + support::uniqueName())
    {
        sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, QFile::encodeName(path).constData());
        descriptor_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (::bind(descriptor_, reinterpret_cast<sockaddr *>(&address), sizeof(address)) != 0 || ::listen(descriptor_, 0) != 0)
            qFatal("cannot listen");
        first_.connectToServer(path);
    }
    ~FullServer() { ::close(descriptor_); }
    Q_DISABLE_COPY_MOVE(FullServer)

    /// Makes room for one; tells the descriptor of the first that had come.
    int acceptOne() const { return ::accept(descriptor_, nullptr, nullptr); }

    const QString path;

private:
    int descriptor_;
    LocalSocket first_;
};

#endif
