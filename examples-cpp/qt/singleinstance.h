// One running instance of an application for each user.
#pragma once

#include <moorline/qt/LocalServer>

#include <QtCore/QObject>
#include <QtCore/QStringList>

/// The first to claim the name is the instance. All others hand it their arguments.
class SingleInstance : public QObject {
    Q_OBJECT

public:
    enum class Role {
        First, ///< This is the instance: arguments of others will come.
        Forwarded, ///< Another one is, and it has the arguments.
        Failed ///< Neither; errorString() tells why.
    };

    /// Of several processes that claim a name at once exactly one is the first. Waits for the other instance for so many
    /// milliseconds at most.
    Role claim(const QString &name, const QStringList &arguments, int timeoutMs = 5000);
    QString errorString() const { return errorString_; }

signals:
    void argumentsReceived(const QStringList &arguments);

private:
    bool forward(const QString &name, const QStringList &arguments, int timeoutMs);
    void accept();

    moorline::LocalServer server_;
    QString errorString_;
};
