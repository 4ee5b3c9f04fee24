// What every header of the Qt adapter needs.
#ifndef MOORLINE_QT_GLOBAL_H
#define MOORLINE_QT_GLOBAL_H

#include <QtCore/qglobal.h>

#if defined(MOORLINE_QT_BUILD)
#define MOORLINE_QT_EXPORT Q_DECL_EXPORT
#else
#define MOORLINE_QT_EXPORT Q_DECL_IMPORT
#endif

#endif
