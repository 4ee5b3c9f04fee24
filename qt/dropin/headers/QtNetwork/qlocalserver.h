#include_next <QtNetwork/qlocalserver.h>
#include <moorline/qt/dropin.h>
