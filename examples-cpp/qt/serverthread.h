// A thread with a server that sends everything back.
#pragma once

#include <QtCore/QString>
#include <QtCore/QThread>

#include <future>

/// The server listens, or has failed, when start() returns; it ends with the object. What is not sent yet is sent then.
class ServerThread : public QThread {
public:
    ~ServerThread() override;

    /// Starts the thread; the error text, which is empty if the server listens.
    QString listen(const QString &name);

protected:
    void run() override;

private:
    QString name_;
    std::promise<QString> outcome_;
};
