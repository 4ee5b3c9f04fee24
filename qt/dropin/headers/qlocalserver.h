#include_next <qlocalserver.h>
#include <moorline/qt/dropin.h>
