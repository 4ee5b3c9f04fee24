// A thread with a server that sends everything back.
#pragma once

#include <moorline/testkit/verdicts.hpp>

#include <QtCore/QString>
#include <QtCore/QThread>

#include <future>

/// The server listens, or has failed, when listen() returns; it ends with the object. What is not sent yet is sent then.
class ServerThread : public QThread {
public:
    /// What goes wrong in the thread is recorded with the verdicts, which must outlive this.
    explicit ServerThread(const moorline::testkit::Verdicts &verdicts) : verdicts_(verdicts) {}
    ~ServerThread() override;

    /// Starts the thread; the error text, which is empty if the server listens.
    QString listen(const QString &name);

protected:
    void run() override;

private:
    const moorline::testkit::Verdicts &verdicts_;
    QString name_;
    std::promise<QString> outcome_;
};
