// The end of what belongs to an object.
#ifndef MOORLINE_QT_CHILDREN_H
#define MOORLINE_QT_CHILDREN_H

#include <QtCore/qobject.h>

namespace moorline {

/// Deletes an object's children, for its destructor. QObject does so when nothing else is left of the object; but their destructors, and
/// slots that they tell of their end, ask it still, and of Qt's own classes they get answers until the last.
inline void deleteChildren(const QObject *object)
{
    // One by one: with it a child may delete others.
    while (!object->children().isEmpty())
        delete object->children().constFirst();
}

} // namespace moorline

#endif
