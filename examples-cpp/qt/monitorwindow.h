// A window with the local servers of the machine, and with the traffic of its own server and clients.
#pragma once

#include <moorline/qt/LocalServer>
#include <moorline/qt/LocalSocket>

#include <QtCore/QElapsedTimer>
#include <QtCore/QTimer>
#include <QtWidgets/QLabel>
#include <QtWidgets/QTreeWidget>
#include <QtWidgets/QWidget>

#include <memory>
#include <vector>

/// Draws the last values, the newest at the right.
class Chart : public QWidget {
    Q_OBJECT

public:
    explicit Chart(QWidget *parent = nullptr);
    void add(double value);

protected:
    void paintEvent(QPaintEvent *event) override;

private:
    QList<double> values_;
};

class MonitorWindow : public QWidget {
    Q_OBJECT

public:
    MonitorWindow();

signals:
    /// The figures were brought up to date.
    void refreshed();

private:
    struct Client {
        moorline::LocalSocket socket;
        qint64 sent = 0;
        qint64 received = 0;
    };

    void startTraffic();
    void acceptClients();
    void refresh();
    void listServers();
    void listClients();

    moorline::LocalServer server_;
    std::vector<std::unique_ptr<Client>> clients_;
    QTimer refreshTimer_;
    QElapsedTimer sinceRefresh_;
    qint64 receivedBefore_ = 0;
    QTreeWidget *servers_;
    QTreeWidget *traffic_;
    QLabel *rate_;
    Chart *chart_;
};
