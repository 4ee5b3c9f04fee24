// Measures the exchange with Qt's own classes and with ours, interleaved, and prints medians and ratios.
#include "exchange.h"

#include <moorline/qt/LocalServer>
#include <moorline/qt/LocalSocket>

#include <QtCore/QCommandLineParser>
#include <QtCore/QCoreApplication>
#include <QtCore/QTemporaryDir>
#include <QtNetwork/QLocalServer>
#include <QtNetwork/QLocalSocket>

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace {

double median(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

struct Row {
    const char *kind;
    Load load;
};

/// The 17 rows of the review, with so much work that the faster side takes long enough to be measured.
std::vector<Row> allRows(double scale)
{
    std::vector<Row> rows;
    for (const int connections : {10, 50, 100, 1000, 5000})
        rows.push_back({"ping-pong", {connections, 1, int(100000 * scale)}});
    for (const int connections : {1, 5, 10}) {
        for (const int chunk : {100, 1000, 10000, 100000})
            rows.push_back({"data", {connections, chunk, int((chunk < 100000 ? 50000 : 10000) * scale)}});
    }
    return rows;
}

struct Medians {
    double qt;
    double ours;
};

Medians compare(const Load &load, int repeats, const QTemporaryDir &directory)
{
    std::vector<double> qt;
    std::vector<double> ours;
    static int run = 0;
    for (int repeat = 0; repeat < repeats; ++repeat) {
        qt.push_back(measure<QLocalServer, QLocalSocket>(directory.filePath(QString::number(++run)), load));
        ours.push_back(measure<moorline::LocalServer, moorline::LocalSocket>(directory.filePath(QString::number(++run)), load));
    }
    return {median(qt), median(ours)};
}

} // namespace

int main(int argc, char **argv)
{
    QCoreApplication application(argc, argv);
    QCommandLineParser options;
    options.setApplicationDescription(QStringLiteral("QLocalSocket and moorline::LocalSocket, side by side"));
    options.addHelpOption();
    options.addOption({QStringLiteral("repeats"), QStringLiteral("Runs of each side; the median counts."), QStringLiteral("n"), QStringLiteral("5")});
    options.addOption({QStringLiteral("scale"), QStringLiteral("How much of the work, 0.01 to 1."), QStringLiteral("f"), QStringLiteral("1")});
    options.addOption({QStringLiteral("only"), QStringLiteral("Only this row, as \"10 x 100000\"."), QStringLiteral("row")});
    options.process(application);
    const int repeats = std::max(options.value(QStringLiteral("repeats")).toInt(), 1);
    const double scale = std::clamp(options.value(QStringLiteral("scale")).toDouble(), 0.01, 1.0);

    rlimit limit = {};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    const QTemporaryDir directory;
    const QString only = options.value(QStringLiteral("only"));

    std::printf("Qt %s, %s dispatcher, medians of %d\n", qVersion(), qEnvironmentVariableIsSet("QT_NO_GLIB") ? "plain" : "glib", repeats);
    std::printf("%-10s %6s %7s  %12s %12s  %6s\n", "", "conns", "chunk", "Qt", "Moorline", "ratio");
    double product = 0;
    double least = INFINITY;
    std::vector<Row> rows = allRows(scale);
    if (!only.isEmpty()) {
        const auto isOther = [&only](const Row &row) {
            return only != QStringLiteral("%1 x %2").arg(row.load.connections).arg(row.load.chunk);
        };
        rows.erase(std::remove_if(rows.begin(), rows.end(), isOther), rows.end());
        if (rows.empty())
            qFatal("there is no row %s", qPrintable(only));
    }
    for (const Row &row : rows) {
        const Medians medians = compare(row.load, repeats, directory);
        const double ratio = medians.qt / medians.ours;
        product += std::log(ratio);
        least = std::min(least, ratio);
        const double bytes = double(row.load.chunk) * row.load.roundTrips / 1e6;
        if (row.load.chunk == 1)
            std::printf("%-10s %6d %7d  %10.2f s %10.2f s  %5.1fx\n", row.kind, row.load.connections, 1, medians.qt, medians.ours, ratio);
        else
            std::printf("%-10s %6d %7d %8.0f MB/s %7.0f MB/s  %5.1fx\n", row.kind, row.load.connections, row.load.chunk,
                        bytes / medians.qt, bytes / medians.ours, ratio);
        std::fflush(stdout);
    }
    std::printf("geometric mean %.1fx, least %.1fx\n\n", std::exp(product / double(rows.size())), least);

    if (!only.isEmpty())
        return 0;
    std::printf("a round trip of one byte with idle connections in the same threads\n");
    double none = 0;
    for (const int idle : {0, 100, 1000, 4000}) {
        const int roundTrips = std::max(int(4000 * scale), 100);
        const Medians medians = compare({1, 1, roundTrips, idle}, repeats, directory);
        const double ours = medians.ours / roundTrips * 1e6;
        none = idle == 0 ? ours : none;
        std::printf("%6d idle  %8.1f us %8.1f us  %4.2f times that with none\n", idle, medians.qt / roundTrips * 1e6, ours, ours / none);
        std::fflush(stdout);
    }
    return 0;
}
