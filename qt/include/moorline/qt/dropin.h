// Puts LocalServer and LocalSocket in the place of Qt's own classes, for sources that name those.
//
// What uses the CMake target Moorline::Qt6DropIn includes this before anything else, so that forward declarations mean our
// classes too. GCC says of such a declaration that it "does not declare anything", which is true and harmless.
#ifndef MOORLINE_QT_DROPIN_H
#define MOORLINE_QT_DROPIN_H

// Qt's own come first: nothing of theirs may be read under the other names.
#include <QtCore/qobjectdefs.h>
#include <QtNetwork/qlocalserver.h>
#include <QtNetwork/qlocalsocket.h>

#include <moorline/qt/localserver.h>
#include <moorline/qt/localsocket.h>

#define QLocalServer moorline::LocalServer
#define QLocalSocket moorline::LocalSocket

// Qt's do not expand what they make a string of, so a signature would keep the old names of its types.
#ifndef QT_NO_META_MACROS
#undef SIGNAL
#undef SLOT
#define SIGNAL(signature) "2" QT_STRINGIFY(signature)
#define SLOT(signature) "1" QT_STRINGIFY(signature)
#endif

// Neither do those of QMetaObject::invokeMethod(), which compares the names of types before Qt 6.5.
#if QT_VERSION < QT_VERSION_CHECK(6, 5, 0)
#undef Q_ARG
#undef Q_RETURN_ARG
#define Q_ARG(type, data) QArgument<type>(QT_STRINGIFY(type), data)
#define Q_RETURN_ARG(type, data) QReturnArgument<type>(QT_STRINGIFY(type), data)
#endif

#endif
