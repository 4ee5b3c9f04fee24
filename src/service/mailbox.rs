//! The mailbox of a worker, by which any thread reaches it.

use super::connection::Connection;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::poller::{Poller, PollerOptions};
use crate::socket::Socket;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, thread_local};
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

/// What a worker is asked to do.
pub(super) enum Order {
    Serve(Box<Socket>),
    Look(Connection),
}

/// The way to a worker.
pub(super) struct Mailbox {
    pub poller: Poller,
    orders: Mutex<Orders>,
    /// Something was ordered since the worker looked: it looks before each wait, and locks only then.
    ordered: AtomicBool,
    /// The connections that the worker serves, for those who cannot wait for it.
    served: Mutex<ServedConnections>,
}

#[derive(Default)]
struct ServedConnections {
    by_slot: HashMap<usize, Connection>,
    /// They were aborted, and so is who comes later: nothing is to be waited for in this service any more.
    aborted: bool,
}

#[derive(Default)]
pub(super) struct Orders {
    pub list: Vec<Order>,
    pub stop: Option<Deadline>,
    /// The worker has left. Whoever comes later is turned away, so that nothing waits in here for ever.
    closed: bool,
}

impl Orders {
    fn take(&mut self) -> Orders {
        Orders { list: std::mem::take(&mut self.list), stop: self.stop, closed: self.closed }
    }
}

impl Mailbox {
    pub fn new(options: PollerOptions) -> Result<Mailbox> {
        Ok(Mailbox {
            poller: Poller::new(options)?,
            orders: Mutex::default(),
            ordered: AtomicBool::new(false),
            served: Mutex::default(),
        })
    }

    pub fn enter(&self, connection: &Connection) {
        let mut served = self.served.lock();
        served.by_slot.insert(connection.slot(), connection.clone());
        if served.aborted {
            connection.socket().abort();
        }
    }

    pub fn leave(&self, connection: &Connection) {
        self.served.lock().by_slot.remove(&connection.slot());
    }

    /// Ends what anybody waits for on the connections, also on those that are still to come. The worker finds them ended.
    pub fn abort_connections(&self) {
        let served: Vec<_> = {
            let mut served = self.served.lock();
            served.aborted = true;
            served.by_slot.values().cloned().collect()
        };
        for connection in served {
            connection.socket().abort();
        }
    }

    /// Gives the order back if the worker has left.
    pub fn post(self: &Arc<Self>, order: Order) -> std::result::Result<(), Order> {
        {
            let mut orders = self.orders.lock();
            if orders.closed {
                return Err(order);
            }
            orders.list.push(order);
            self.ordered.store(true, Ordering::Release);
        }
        self.wake();
        Ok(())
    }

    pub fn order_stop(self: &Arc<Self>, deadline: Deadline) {
        {
            let mut orders = self.orders.lock();
            // Who wanted it at once is not to wait for who wants it later.
            if !matches!(orders.stop, Some(Deadline::Now)) {
                orders.stop = Some(deadline);
                self.ordered.store(true, Ordering::Release);
            }
        }
        self.wake();
    }

    /// Takes what was ordered since the last time. Who orders something wakes the worker afterwards, so what is overlooked here is found
    /// after the wait that it ends.
    pub fn take(&self) -> Option<Orders> {
        if !self.ordered.load(Ordering::Acquire) {
            return None;
        }
        let mut orders = self.orders.lock();
        self.ordered.store(false, Ordering::Relaxed);
        Some(orders.take())
    }

    /// Takes what is there, and turns away what comes later.
    pub fn close(&self) -> Orders {
        let mut orders = self.orders.lock();
        orders.closed = true;
        orders.take()
    }

    fn wake(self: &Arc<Self>) {
        // The worker itself looks into the mailbox before it waits.
        if CURRENT.with(Cell::get).mailbox != Arc::as_ptr(self) as usize {
            // It fails when the worker has left.
            let _ = self.poller.wake();
        }
    }
}

/// Which worker of which service a thread is.
#[derive(Clone, Copy, Default)]
struct Current {
    /// The mailbox's address, to compare.
    mailbox: usize,
    service: u64,
}

thread_local! {
    static CURRENT: Cell<Current> = const { Cell::new(Current { mailbox: 0, service: 0 }) };
}

/// This thread is the one that reads the mailbox from now on.
pub(super) fn enter_thread(mailbox: &Arc<Mailbox>, service: u64) {
    let current = Current { mailbox: Arc::as_ptr(mailbox) as usize, service };
    CURRENT.with(|this_thread| this_thread.set(current));
}

/// Whether this is a thread of the service.
pub(super) fn on_thread_of(service: u64) -> bool {
    CURRENT.with(Cell::get).service == service
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::socket::SocketOptions;

    /// Or a service would keep the sockets of as many connections as it ever had at once.
    #[test]
    fn who_has_left_is_not_kept() {
        let mailbox = Arc::new(Mailbox::new(PollerOptions::default()).unwrap());
        let (socket, _peer) = Socket::pair(&SocketOptions::default()).unwrap();
        let connection = Connection::new(socket, &mailbox, 0, &Clock::system());
        mailbox.enter(&connection);
        assert_eq!(mailbox.served.lock().by_slot.len(), 1);
        mailbox.leave(&connection);
        assert!(mailbox.served.lock().by_slot.is_empty());
    }
}
