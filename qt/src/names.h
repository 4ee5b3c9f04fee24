// What a server's name means: the same as to QLocalServer and QLocalSocket.
#ifndef MOORLINE_QT_NAMES_H
#define MOORLINE_QT_NAMES_H

#include <moorline/moorline.h>
#include <moorline/qt/servertrust.h>

#include <QtCore/qbytearray.h>
#include <QtCore/qproperty.h>
#include <QtCore/qstring.h>

#include <map>

namespace moorline {

/// A name as the library takes it. A plain one means the temporary directory of Qt, unless it is abstract.
class NativeName {
public:
    NativeName(const QString &name, bool isAbstract);

    /// The path, or the abstract name.
    const QString &full() const { return full_; }

    /// As the library's functions; a path with a NUL, which would cut it, is MOORLINE_NAME_INVALID.
    moorline_status listen(moorline_server *server) const;
    moorline_status connect(qint64 timeoutMs, ServerTrust trust, moorline_socket **socket,
                            const moorline_message_options *messages = nullptr) const;
    moorline_status start(moorline_service *service) const;
    moorline_status remove() const;
    /// A server that has gone has left its file there.
    bool isDead() const;

private:
    QString full_;
    QByteArray bytes_; ///< The same in the encoding of file names.
    bool isAbstract_;
    bool isValid_;
};

/// The names of the server that a descriptor listens at, or that its connection was made through; both empty where it has
/// none, as a socket of a pair.
struct BoundName {
    QString name; ///< After the last slash, or what the server was told to listen at.
    QString full;
    bool isAbstract = false;

    /// Has the options of its owner say whether the name is abstract, if there is one.
    template <class Options>
    void tellOptions(QProperty<Options> &options) const
    {
        Options told = options;
        if (!full.isEmpty())
            options = told.setFlag(Options::enum_type::AbstractNamespaceOption, isAbstract);
    }

    /// As the system tells. A server of this library binds another name than it publishes: that one's is known as long as its
    /// PublishedName is there, and to who asks first inside its Accepting, where a slot may have closed the server. Any thread.
    static BoundName of(qintptr descriptor);

    /// With the name that a descriptor tells, as it cannot tell how its owner has put it.
    BoundName shortened() const;

    /// Meanwhile `of` tells these names, once, for a descriptor that a server of this thread has accepted.
    class Accepting {
    public:
        Accepting(qintptr descriptor, const BoundName &names);
        ~Accepting();
        Q_DISABLE_COPY_MOVE(Accepting)

    private:
        friend struct BoundName;
        qintptr descriptor_; ///< -1 when it was asked for.
        const BoundName &names_;
        Accepting *const outer_;
    };
};

/// Meanwhile BoundName::of tells these names for this listening descriptor and for those of its connections.
class PublishedName {
public:
    PublishedName(qintptr listening, const BoundName &names);
    ~PublishedName();
    Q_DISABLE_COPY_MOVE(PublishedName)

private:
    friend struct BoundName;
    struct Registry;
    static Registry *registry();

    Registry *const registry_;
    std::multimap<QString, BoundName>::iterator entry_;
};

} // namespace moorline

#endif
