// Shows the local servers of this machine, and the traffic of its own. `monitor --screenshot file.png` takes a picture of
// itself after a while, and ends.
#include "monitorwindow.h"

#include <QtCore/QCommandLineParser>
#include <QtWidgets/QApplication>

#include <cstdio>

int main(int argc, char **argv)
{
    QApplication application(argc, argv);
    QCommandLineParser options;
    options.addHelpOption();
    const QCommandLineOption screenshot(QStringLiteral("screenshot"), QStringLiteral("Save a picture and end."),
                                        QStringLiteral("file"));
    options.addOption(screenshot);
    options.process(application);

    MonitorWindow window;
    window.show();
    if (options.isSet(screenshot)) {
        int refreshes = 0;
        QObject::connect(&window, &MonitorWindow::refreshed, &application, [&] {
            if (++refreshes < 30)
                return;
            const bool saved = window.grab().save(options.value(screenshot));
            if (!saved)
                std::fprintf(stderr, "cannot save %s\n", qPrintable(options.value(screenshot)));
            QApplication::exit(saved ? 0 : 1);
        });
    }
    return QApplication::exec();
}
