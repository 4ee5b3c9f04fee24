// A server of another user's.
#ifndef MOORLINE_TESTS_QT_FOREIGNSERVER_H
#define MOORLINE_TESTS_QT_FOREIGNSERVER_H

#include <QtCore/QFile>
#include <QtCore/QString>

#include <csignal>
#include <cstdlib>
#include <cstring>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/// Listens where everybody may connect, in a process of its own, and accepts nobody. Only root can have one.
class ForeignServer {
public:
    ForeignServer()
    {
        char directory[] = "/tmp/moorline-foreign-XXXXXX";
        if (!::mkdtemp(directory) || ::chmod(directory, 0777) != 0)
            qFatal("no directory");
        path = QString::fromLocal8Bit(directory) + QLatin1String("/server");
        sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, QFile::encodeName(path).constData());
        int ready[2];
        if (::pipe(ready) != 0)
            qFatal("no pipe");
        process_ = ::fork();
        if (process_ == 0) {
            constexpr unsigned nobody = 65534;
            const int descriptor = ::socket(AF_UNIX, SOCK_STREAM, 0);
            ::umask(0);
            const bool listens = ::setgid(nobody) == 0 && ::setuid(nobody) == 0
                && ::bind(descriptor, reinterpret_cast<sockaddr *>(&address), sizeof(address)) == 0
                && ::listen(descriptor, 8) == 0;
            if (!listens || ::write(ready[1], "", 1) != 1)
                ::_exit(1);
            for (;;)
                ::pause();
        }
        ::close(ready[1]);
        char byte = 0;
        if (::read(ready[0], &byte, 1) != 1)
            qFatal("it does not listen");
        ::close(ready[0]);
    }

    ~ForeignServer()
    {
        ::kill(process_, SIGKILL);
        ::waitpid(process_, nullptr, 0);
        const QByteArray file = QFile::encodeName(path);
        ::unlink(file.constData());
        ::rmdir(file.left(file.lastIndexOf('/')).constData());
    }
    Q_DISABLE_COPY_MOVE(ForeignServer)

    static bool isPossible() { return ::geteuid() == 0; }

    QString path;

private:
    pid_t process_;
};

#endif
