#include_next <qlocalsocket.h>
#include <moorline/qt/dropin.h>
