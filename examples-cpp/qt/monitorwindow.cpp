#include "monitorwindow.h"

#include "localservers.h"

#include <QtCore/QCoreApplication>
#include <QtGui/QPainter>
#include <QtGui/QPainterPath>
#include <QtWidgets/QHeaderView>
#include <QtWidgets/QSplitter>
#include <QtWidgets/QVBoxLayout>

#include <algorithm>

using moorline::LocalServer;
using moorline::LocalSocket;

namespace {
constexpr int shownValues = 60;
constexpr int refreshMs = 250;
constexpr int clientCount = 4;

QTreeWidget *makeList(const QStringList &columns, QWidget *parent)
{
    auto *list = new QTreeWidget(parent);
    list->setHeaderLabels(columns);
    list->setRootIsDecorated(false);
    list->setAlternatingRowColors(true);
    list->header()->setSectionResizeMode(0, QHeaderView::Stretch);
    list->header()->setStretchLastSection(false);
    return list;
}
} // namespace

Chart::Chart(QWidget *parent) : QWidget(parent)
{
    setMinimumHeight(120);
}

void Chart::add(double value)
{
    values_.append(value);
    if (values_.size() > shownValues)
        values_.removeFirst();
    update();
}

void Chart::paintEvent(QPaintEvent *)
{
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(rect(), palette().base());
    if (values_.size() < 2)
        return;
    const double top = std::max(*std::max_element(values_.cbegin(), values_.cend()) * 1.1, 1.0);
    const auto pointAt = [&](qsizetype index) {
        const double fromRight = double(values_.size() - 1 - index) / (shownValues - 1);
        return QPointF(width() * (1 - fromRight), height() * (1 - values_[index] / top));
    };
    QPainterPath line(pointAt(0));
    for (qsizetype index = 1; index < values_.size(); ++index)
        line.lineTo(pointAt(index));
    QPainterPath area = line;
    area.lineTo(width(), height());
    area.lineTo(pointAt(0).x(), height());
    QColor fill = palette().highlight().color();
    painter.setPen(QPen(fill, 2));
    painter.drawPath(line);
    fill.setAlphaF(0.25F);
    painter.fillPath(area, fill);
}

MonitorWindow::MonitorWindow()
{
    setWindowTitle(tr("Moorline monitor"));
    resize(860, 560);
    auto *splitter = new QSplitter(Qt::Vertical, this);
    servers_ = makeList({tr("Server"), tr("Place"), tr("State")}, splitter);
    auto *own = new QWidget(splitter);
    rate_ = new QLabel(own);
    chart_ = new Chart(own);
    traffic_ = makeList({tr("Connection"), tr("Sent"), tr("Received")}, own);
    auto *ownLayout = new QVBoxLayout(own);
    ownLayout->setContentsMargins(0, 0, 0, 0);
    ownLayout->addWidget(rate_);
    ownLayout->addWidget(chart_);
    ownLayout->addWidget(traffic_);
    auto *layout = new QVBoxLayout(this);
    layout->addWidget(splitter);

    connect(&server_, &LocalServer::newConnection, this, &MonitorWindow::acceptClients);
    connect(&refreshTimer_, &QTimer::timeout, this, &MonitorWindow::refresh);
    startTraffic();
    sinceRefresh_.start();
    refreshTimer_.start(refreshMs);
    refresh();
}

void MonitorWindow::startTraffic()
{
    const QString name = QStringLiteral("moorline-monitor-%1").arg(QCoreApplication::applicationPid());
    if (!server_.listen(name)) {
        rate_->setText(server_.errorString());
        return;
    }
    for (int i = 0; i < clientCount; ++i) {
        clients_.push_back(std::make_unique<Client>());
        Client *client = clients_.back().get();
        const QByteArray message(1000 << (2 * i), char('a' + i));
        const auto send = [client, message] { client->sent += client->socket.write(message); };
        connect(&client->socket, &LocalSocket::connected, this, send);
        connect(&client->socket, &LocalSocket::readyRead, this, [client, send] {
            client->received += client->socket.readAll().size();
            if (client->received == client->sent)
                send();
        });
        client->socket.connectToServer(name);
    }
}

void MonitorWindow::acceptClients()
{
    while (LocalSocket *socket = server_.nextPendingConnection()) {
        connect(socket, &LocalSocket::readyRead, socket, [socket] { socket->write(socket->readAll()); });
        connect(socket, &LocalSocket::disconnected, socket, &QObject::deleteLater);
    }
}

void MonitorWindow::refresh()
{
    listServers();
    listClients();
    emit refreshed();
}

void MonitorWindow::listServers()
{
    servers_->clear();
    for (const LocalServerInfo &info : localServers()) {
        auto *item = new QTreeWidgetItem(servers_, {info.name, info.place, info.isLive ? tr("listens") : tr("has gone")});
        item->setDisabled(!info.isLive);
    }
    servers_->resizeColumnToContents(1);
}

void MonitorWindow::listClients()
{
    traffic_->clear();
    qint64 received = 0;
    for (const auto &client : clients_) {
        received += client->received;
        auto *item = new QTreeWidgetItem(traffic_,
                                         {client->socket.fullServerName(), locale().formattedDataSize(client->sent),
                                          locale().formattedDataSize(client->received)});
        item->setTextAlignment(1, Qt::AlignRight);
        item->setTextAlignment(2, Qt::AlignRight);
    }
    const double seconds = double(sinceRefresh_.restart()) / 1000;
    if (seconds > 0) {
        const double perSecond = double(received - receivedBefore_) / seconds;
        rate_->setText(tr("%1 connections, %2 a second back and forth")
                           .arg(clients_.size())
                           .arg(locale().formattedDataSize(qint64(perSecond))));
        chart_->add(perSecond);
    }
    receivedBefore_ = received;
}
