#include "applicationend.h"

#include <QtCore/qvariant.h>

#include <memory>
#include <utility>
#include <vector>

namespace moorline {

namespace {

constexpr char property[] = "_moorline_end";

struct End {
    End() = default;
    ~End()
    {
        for (const std::function<void()> &function : functions)
            function();
    }
    Q_DISABLE_COPY_MOVE(End)

    std::vector<std::function<void()>> functions;
};
using SharedEnd = std::shared_ptr<End>;

} // namespace

// Qt has a hook for the beginning of an application, which cannot be taken back when the library is unloaded, and none for its very end. But
// what a property of the application holds is the last of it to go, after the events. Nobody is told of the property: the application
// gets no events any more.
void whenEventsStay(const QObject *dispatcher, std::function<void()> function)
{
    QObject *const application = dispatcher->parent();
    if (!application) {
        function();
        return;
    }
    auto end = application->property(property).value<SharedEnd>();
    if (!end) {
        end = std::make_shared<End>();
        application->setProperty(property, QVariant::fromValue(end));
    }
    end->functions.push_back(std::move(function));
}

} // namespace moorline
