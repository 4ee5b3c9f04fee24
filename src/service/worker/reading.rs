//! How a worker reads its connections.

use super::{FAIR_SHARE, Worker};
use crate::error::Status;
use crate::sys::Descriptor;
use std::panic::{AssertUnwindSafe, catch_unwind};

impl Worker {
    /// What changes when something is read: bytes, messages, whether that was the end of the stream. None: the connection has ended.
    pub(super) fn progress(&self, slot: usize) -> Option<(u64, u64, bool)> {
        self.served.get(slot).map(|served| {
            let socket = served.connection.socket();
            (socket.received(), socket.messages_received(), served.finished)
        })
    }

    /// For [`Worker::read`]: reads until there is nothing more, or its share. A short read is the end of what is there, but for one that
    /// descriptors cut short; after a hang-up only the end of the stream is.
    pub(super) fn read_share(&mut self, slot: usize) {
        for _ in 0..FAIR_SHARE {
            let Some(served) = self.served.get_mut(slot) else { return };
            served.readable = true;
            if served.paused || served.finished || served.ending.is_some() {
                return;
            }
            if self.shared.options.messages.is_some() {
                if !self.read_message(slot) {
                    return;
                }
                continue;
            }
            match served.connection.socket().receive_now(&mut self.buffer) {
                Ok((received, more)) => {
                    served.readable = served.hangup || more;
                    let readable = served.readable;
                    served.connection.forget_use();
                    let buffer = std::mem::take(&mut self.buffer);
                    let data = &buffer[..received];
                    self.call(slot, |handler, connection| handler.received(connection, data));
                    self.buffer = buffer;
                    self.look(slot);
                    if !readable {
                        return;
                    }
                }
                Err(error) if error.status() == Status::WouldBlock => {
                    served.readable = false;
                    return;
                }
                Err(error) => return self.end_of_stream(slot, error.status()),
            }
        }
        self.read_again(slot);
    }

    /// Has it read after the others. Once, however many edges come until then: each would come back as long as there is something.
    pub(super) fn read_again(&mut self, slot: usize) {
        if let Some(served) = self.served.get_mut(slot)
            && !served.again
        {
            served.again = true;
            self.again.push((slot, served.number));
        }
    }

    /// Reads a message; false if there is none now, or the connection has ended.
    fn read_message(&mut self, slot: usize) -> bool {
        let Some(served) = self.served.get_mut(slot) else { return false };
        let (handler, connection) = (&*self.shared.handler, &served.connection);
        let deliver = |message: &[u8], descriptors: &mut Vec<Descriptor>| {
            connection.forget_use();
            if !handler.admits(connection, message) {
                return Err(Status::Refused.into());
            }
            handler.message_with_descriptors(connection, message, std::mem::take(descriptors));
            Ok(())
        };
        let socket = connection.socket();
        let answer = catch_unwind(AssertUnwindSafe(|| socket.receive_message_now(deliver)));
        match answer {
            Ok(Ok(())) => {
                self.look(slot);
                let Some(served) = self.served.get_mut(slot) else { return false };
                // Nothing more is worth a call that finds nothing: more is another edge.
                served.readable =
                    served.hangup || served.connection.socket().may_have_message().unwrap_or(true);
                served.readable
            }
            Ok(Err(error)) => {
                match error.status() {
                    Status::WouldBlock => served.readable = false,
                    Status::Disconnected => self.end_of_stream(slot, Status::Disconnected),
                    status => self.end(slot, status),
                }
                false
            }
            Err(panic) => {
                self.record(&*panic);
                self.end(slot, Status::Internal);
                false
            }
        }
    }

    /// Nothing more comes. A peer that only has nothing more to say may still listen.
    fn end_of_stream(&mut self, slot: usize, reason: Status) {
        let Some(served) = self.served.get_mut(slot) else { return };
        if reason == Status::Disconnected && !served.connection.socket().is_gone() {
            served.finished = true;
            self.call(slot, |handler, connection| handler.finished(connection));
            self.look(slot);
        } else {
            self.end(slot, reason);
        }
    }
}
