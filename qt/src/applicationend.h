// What is to be done when an application has ended, for the next one.
#ifndef MOORLINE_QT_APPLICATIONEND_H
#define MOORLINE_QT_APPLICATIONEND_H

#include <QtCore/qobject.h>

#include <functional>

namespace moorline {

/// Calls the function when what is posted to the thread of this event dispatcher stays there until it has another one. To be called by a
/// slot of the dispatcher's destroyed(). With an application go, after its dispatcher, the events of its thread, so that is later
/// then; a thread that ends and is started again delivers what is posted, so that is at once.
void whenEventsStay(const QObject *dispatcher, std::function<void()> function);

} // namespace moorline

#endif
