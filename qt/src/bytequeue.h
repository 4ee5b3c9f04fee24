// A queue of bytes in one piece of memory.
#ifndef MOORLINE_QT_BYTEQUEUE_H
#define MOORLINE_QT_BYTEQUEUE_H

#include <QtCore/qbytearray.h>

namespace moorline {

/// Bytes are appended at the end and consumed from the start. All that is in it lies in one piece, so that a system call
/// takes or fills it without a copy. The piece is a QByteArray's, so that large ones come and go without a copy too.
class ByteQueue {
public:
    enum Kind { Received, Written };
    /// Queues of a kind use, in each thread, the same spare memory.
    explicit ByteQueue(Kind kind) : kind_(kind) {}

    qint64 size() const { return end_ - start_; }
    bool isEmpty() const { return end_ == start_; }
    const char *data() const { return memory_.constData() + start_; }

    /// Room for so many bytes more; `commit` says how many came. Valid until the next call.
    char *reserve(qint64 bytes);
    void commit(qint64 bytes) { end_ += bytes; }

    void append(const char *bytes, qint64 count);
    void append(const QByteArray &bytes);
    void consume(qint64 bytes);
    void clear();

    /// Copies at most so many bytes out and consumes them; tells how many.
    qint64 read(char *into, qint64 most);
    /// Hands everything out.
    QByteArray takeAll();

    /// How many bytes the first line has, its end included; 0 if there is no whole line.
    qint64 lineLength() const;

private:
    Kind kind_;
    QByteArray memory_; ///< Its size is the room there is; shared with the application where it came from there.
    qint64 start_ = 0;
    qint64 end_ = 0;
};

} // namespace moorline

#endif
