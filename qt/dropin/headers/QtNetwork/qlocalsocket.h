#include_next <QtNetwork/qlocalsocket.h>
#include <moorline/qt/dropin.h>
