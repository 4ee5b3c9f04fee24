// An application as written for Qt's own classes, every line of it: built against Moorline::Qt6DropIn it uses ours. Built
// without it shows that the source is an ordinary one.
class QLocalSocket;

struct Forward {
    QLocalSocket *socket = nullptr;
};

#include "support.h"

#if defined(INCLUDE_MODULE)
#include <QtNetwork>
#elif defined(INCLUDE_QUALIFIED)
#include <QtNetwork/QLocalServer>
#include <QtNetwork/QLocalSocket>
#else
#include <QLocalServer>
#include <QLocalSocket>
#endif

namespace {

class Server : public QLocalServer {
    Q_OBJECT

public:
    explicit Server(QObject *parent = nullptr) : QLocalServer(parent) {}
    int incoming = 0;

protected:
    void incomingConnection(quintptr descriptor) override
    {
        ++incoming;
        QLocalServer::incomingConnection(descriptor);
    }
};

} // namespace

class tst_DropIn : public QObject {
    Q_OBJECT

public:
    Q_INVOKABLE QLocalSocket *same(QLocalSocket *socket, QLocalSocket::LocalSocketState state)
    {
        invokedWith_ = state;
        return socket;
    }

private:
    QLocalSocket::LocalSocketState invokedWith_ = QLocalSocket::UnconnectedState;

private slots:
    void invokedByName()
    {
        QLocalSocket socket;
        QLocalSocket *returned = nullptr;
        QVERIFY(QMetaObject::invokeMethod(this, "same", Qt::DirectConnection, Q_RETURN_ARG(QLocalSocket *, returned),
                                          Q_ARG(QLocalSocket *, &socket),
                                          Q_ARG(QLocalSocket::LocalSocketState, QLocalSocket::ClosingState)));
        QCOMPARE(returned, &socket);
        QCOMPARE(invokedWith_, QLocalSocket::ClosingState);
    }

    void whoseClasses()
    {
        const QByteArray name = QLocalSocket::staticMetaObject.className();
#if defined(EXPECT_OURS)
        QCOMPARE(name, QByteArray("moorline::LocalSocket"));
        QVERIFY(QLocalSocket().inherits("moorline::LocalSocket"));
        QVERIFY(!QLocalSocket().inherits("QLocalSocket"));
        QCOMPARE(QByteArray(QLocalServer::staticMetaObject.className()), QByteArray("moorline::LocalServer"));
#else
        QCOMPARE(name, QByteArray("QLocalSocket"));
#endif
    }

    void exchange()
    {
        Server server;
        connect(&server, SIGNAL(newConnection()), this, SLOT(accept()));
        const QString name = support::uniqueName();
        QVERIFY(server.listen(name));
        Forward forward;
        forward.socket = new QLocalSocket(this);
        connect(forward.socket, &QLocalSocket::readyRead, this, &tst_DropIn::read);
        forward.socket->connectToServer(name);
        forward.socket->write("there and back");
        EVENTUALLY(got_ == "there and back");
        QCOMPARE(server.incoming, 1);
        qDebug() << forward.socket->state();
        delete forward.socket;
    }

    void stringBasedConnects()
    {
        QLocalSocket socket;
        QVERIFY(connect(&socket, SIGNAL(errorOccurred(QLocalSocket::LocalSocketError)), this,
                        SLOT(failed(QLocalSocket::LocalSocketError))));
        QVERIFY(connect(&socket, SIGNAL(stateChanged(QLocalSocket::LocalSocketState)), this,
                        SLOT(changed(QLocalSocket::LocalSocketState))));
        socket.connectToServer(support::uniqueName());
        QCOMPARE(failed_, int(QLocalSocket::ServerNotFoundError));
        QCOMPARE(changes_, 2);
    }

public slots:
    void accept()
    {
        auto *server = qobject_cast<QLocalServer *>(sender());
        QLocalSocket *socket = server->nextPendingConnection();
        connect(socket, &QLocalSocket::readyRead, socket, [socket] { socket->write(socket->readAll()); });
    }

    void read() { got_ += qobject_cast<QLocalSocket *>(sender())->readAll(); }
    void failed(QLocalSocket::LocalSocketError error) { failed_ = error; }
    void changed(QLocalSocket::LocalSocketState) { ++changes_; }

private:
    QByteArray got_;
    int failed_ = -2;
    int changes_ = 0;
};

MOORLINE_TEST_MAIN(tst_DropIn)
#include "tst_dropin.moc"
