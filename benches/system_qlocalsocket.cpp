// Qt's own local sockets.
#include <QtNetwork/QLocalServer>
#include <QtNetwork/QLocalSocket>

#include "system_qt.hpp"

int main(int argc, char** argv) {
    return bench::run_system<bench::QtServer<QLocalServer, QLocalSocket>, bench::QtClient<QLocalSocket>>(argc, argv);
}
