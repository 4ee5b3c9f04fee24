#include "localservers.h"

#include <moorline/moorline.h>

#include <QtCore/QDir>
#include <QtCore/QFile>
#include <QtCore/QSet>

static void addSocketFiles(const QString &directory, QList<LocalServerInfo> &servers)
{
    for (const QFileInfo &file : QDir(directory).entryInfoList(QDir::System | QDir::Hidden, QDir::Name)) {
        uint32_t state = MOORLINE_NAME_ABSENT;
        const QByteArray path = QFile::encodeName(file.absoluteFilePath());
        if (moorline_name_state(path.constData(), MOORLINE_SCOPE_TEMPORARY, &state) != MOORLINE_OK)
            continue;
        if (state == MOORLINE_NAME_LIVE || state == MOORLINE_NAME_DEAD)
            servers.append({file.fileName(), directory, state == MOORLINE_NAME_LIVE});
    }
}

static void addAbstractNames(QList<LocalServerInfo> &servers)
{
    QFile table(QStringLiteral("/proc/net/unix"));
    if (!table.open(QIODevice::ReadOnly))
        return;
    QSet<QString> seen;
    for (const QByteArray &line : table.readAll().split('\n')) {
        // The flag is that of a socket that listens; the eighth column is its name.
        const QList<QByteArray> columns = line.simplified().split(' ');
        if (columns.size() < 8 || columns[3] != "00010000" || !columns[7].startsWith('@'))
            continue;
        const QString name = QString::fromLocal8Bit(columns[7].mid(1));
        if (!seen.contains(name))
            servers.append({name, QStringLiteral("abstract"), true});
        seen.insert(name);
    }
}

QList<LocalServerInfo> localServers()
{
    QList<LocalServerInfo> servers;
    QStringList directories = {QDir::tempPath(), qEnvironmentVariable("XDG_RUNTIME_DIR"), QStringLiteral("/run")};
    directories.removeAll(QString());
    directories.removeDuplicates();
    for (const QString &directory : std::as_const(directories))
        addSocketFiles(directory, servers);
    addAbstractNames(servers);
    return servers;
}
