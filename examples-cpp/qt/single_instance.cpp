// Runs once: single_instance <name> [arguments...]. Started again, it hands its arguments to the one that runs, which prints
// them; the argument --quit ends that one.
#include "singleinstance.h"

#include <QtCore/QCoreApplication>
#include <QtCore/QTextStream>

int main(int argc, char **argv)
{
    QCoreApplication application(argc, argv);
    QStringList arguments = application.arguments().mid(1);
    QTextStream out(stdout);
    if (arguments.isEmpty()) {
        out << "usage: single_instance <name> [arguments...]\n";
        return 2;
    }
    const QString name = arguments.takeFirst();

    SingleInstance instance;
    QObject::connect(&instance, &SingleInstance::argumentsReceived, [&](const QStringList &received) {
        out << "received: " << received.join(QLatin1Char(' ')) << Qt::endl;
        if (received.contains(QStringLiteral("--quit")))
            QCoreApplication::quit();
    });
    switch (instance.claim(name, arguments)) {
    case SingleInstance::Role::First:
        out << "first" << Qt::endl;
        return QCoreApplication::exec();
    case SingleInstance::Role::Forwarded:
        out << "forwarded" << Qt::endl;
        return 0;
    case SingleInstance::Role::Failed:
        out << "failed: " << instance.errorString() << Qt::endl;
        return 1;
    }
    return 1;
}
