// Which classes a test is about: ours, or Qt's own, to show that the test describes those rightly.
#ifndef MOORLINE_TESTS_QT_SUBJECT_H
#define MOORLINE_TESTS_QT_SUBJECT_H

#if defined(SUBJECT_IS_QT)
#include <QtNetwork/QLocalServer>
#include <QtNetwork/QLocalSocket>
using LocalServer = QLocalServer;
using LocalSocket = QLocalSocket;
constexpr bool subjectIsQt = true;
#define SUBJECT "QLocal"
/// For what Qt gets wrong.
#define NOT_WITH_QT(why) QSKIP("Qt's own classes: " why)
#else
#include <moorline/qt/LocalServer>
#include <moorline/qt/LocalSocket>
using moorline::LocalServer;
using moorline::LocalSocket;
constexpr bool subjectIsQt = false;
#define SUBJECT "moorline::Local"
#define NOT_WITH_QT(why) \
    do {                 \
    } while (false)
#endif

#include "support.h"

/// A server with a client and the socket at the server's end.
struct Pair {
    LocalServer server;
    LocalSocket client;
    LocalSocket *peer = nullptr;

    explicit Pair(QIODevice::OpenMode mode = QIODevice::ReadWrite)
    {
        const QString name = support::uniqueName();
        if (!server.listen(name))
            qFatal("listen: %s", qPrintable(server.errorString()));
        client.connectToServer(name, mode);
        if (!server.waitForNewConnection(support::watchdogMs))
            qFatal("no connection: %s", qPrintable(client.errorString()));
        peer = server.nextPendingConnection();
    }
};

#endif
