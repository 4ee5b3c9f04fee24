// Moorline's drop-ins for Qt's local sockets.
#include <moorline/qt/LocalServer>
#include <moorline/qt/LocalSocket>

#include "system_qt.hpp"

int main(int argc, char** argv) {
    using Server = bench::QtServer<moorline::LocalServer, moorline::LocalSocket>;
    return bench::run_system<Server, bench::QtClient<moorline::LocalSocket>>(argc, argv);
}
