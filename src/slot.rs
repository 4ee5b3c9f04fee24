//! A place for what takes its time to open, as a name does: it is opened without a lock that others might wait for.

use crate::error::Status;
use parking_lot::Mutex;
use std::sync::Arc;

/// Empty, or being filled by one call, or full. Whoever empties it while it is being filled has that call fail.
pub(crate) struct Slot<T>(Mutex<State<T>>);

struct State<T> {
    content: Content<T>,
    /// It stays empty, once it is.
    shut: bool,
}

enum Content<T> {
    Empty,
    /// By the call that has the same token.
    Filling(Arc<()>),
    Full(T),
}

/// The right to fill a slot. Dropped before that, it leaves the slot empty.
pub(crate) struct Filling<'a, T> {
    slot: &'a Slot<T>,
    token: Arc<()>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Slot(Mutex::new(State { content: Content::Empty, shut: false }))
    }
}

impl<T> Slot<T> {
    /// Begins to fill it. `InvalidState`: it is full, or another call fills it. `Closed`: it was shut.
    pub fn begin(&self) -> Result<Filling<'_, T>, Status> {
        let mut state = self.0.lock();
        if state.shut {
            return Err(Status::Closed);
        }
        let Content::Empty = state.content else { return Err(Status::InvalidState) };
        let token = Arc::new(());
        state.content = Content::Filling(token.clone());
        Ok(Filling { slot: self, token })
    }

    /// Looks at what is there.
    pub fn with<R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        match &self.0.lock().content {
            Content::Full(there) => Some(look(there)),
            _ => None,
        }
    }

    /// As `with`, and finds nothing while another thread has the lock.
    pub fn try_with<R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        match &self.0.try_lock()?.content {
            Content::Full(there) => Some(look(there)),
            _ => None,
        }
    }

    /// Whether it is just being filled by the call with this token.
    pub fn is_filled_by(&self, token: &Arc<()>) -> bool {
        self.0.lock().is_filled_by(token)
    }

    /// Has a call that fills it fail.
    pub fn interrupt(&self) {
        self.0.lock().interrupt();
    }

    /// Empties it. A call that fills it fails.
    pub fn take(&self) -> Option<T> {
        self.interrupt();
        self.take_if(|_| true)
    }

    /// Empties it of what is meant.
    pub fn take_if(&self, is_meant: impl FnOnce(&T) -> bool) -> Option<T> {
        let mut state = self.0.lock();
        if !matches!(&state.content, Content::Full(there) if is_meant(there)) {
            return None;
        }
        match std::mem::replace(&mut state.content, Content::Empty) {
            Content::Full(there) => Some(there),
            _ => None,
        }
    }

    /// Whether nothing is put there any more.
    pub fn is_shut(&self) -> bool {
        self.0.lock().shut
    }

    /// Nothing is put there any more. A call that fills it fails; what is there already can be taken.
    pub fn shut(&self) {
        let mut state = self.0.lock();
        state.shut = true;
        state.interrupt();
    }
}

impl<T> State<T> {
    fn interrupt(&mut self) {
        if let Content::Filling(_) = self.content {
            self.content = Content::Empty;
        }
    }

    fn is_filled_by(&self, token: &Arc<()>) -> bool {
        matches!(&self.content, Content::Filling(filling) if Arc::ptr_eq(filling, token))
    }
}

impl<T> Filling<'_, T> {
    /// Whether it can still be filled. `Closed`: it was emptied meanwhile.
    pub fn check(&self) -> Result<(), Status> {
        if self.slot.is_filled_by(&self.token) { Ok(()) } else { Err(Status::Closed) }
    }

    /// What tells this call that fills it from others.
    pub fn token(&self) -> Arc<()> {
        self.token.clone()
    }

    /// Fills it; or gives back what was made in vain, because the slot was emptied meanwhile.
    pub fn finish(self, made: T) -> Result<(), T> {
        let mut state = self.slot.0.lock();
        if !state.is_filled_by(&self.token) {
            return Err(made);
        }
        state.content = Content::Full(made);
        Ok(())
    }
}

impl<T> Drop for Filling<'_, T> {
    fn drop(&mut self) {
        let mut state = self.slot.0.lock();
        if state.is_filled_by(&self.token) {
            state.content = Content::Empty;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(slot: &Slot<u32>) -> Option<u32> {
        slot.with(|there| *there)
    }

    fn refusal(slot: &Slot<u32>) -> Option<Status> {
        slot.begin().err()
    }

    #[test]
    fn one_call_at_a_time_fills_it_and_nobody_waits_for_that() {
        let slot = Slot::default();
        let filling = slot.begin().unwrap();
        assert_eq!(
            (refusal(&slot), content(&slot), slot.take_if(|_| true)),
            (Some(Status::InvalidState), None, None)
        );
        assert_eq!(filling.finish(1), Ok(()));
        assert_eq!((refusal(&slot), content(&slot)), (Some(Status::InvalidState), Some(1)));
        assert_eq!((slot.take_if(|there| *there == 2), slot.take_if(|there| *there == 1)), (None, Some(1)));
        drop(slot.begin().unwrap());
        assert_eq!((refusal(&slot), content(&slot)), (None, None));
    }

    #[test]
    fn what_was_emptied_meanwhile_is_not_filled_by_who_began_before() {
        let slot = Slot::default();
        let early = slot.begin().unwrap();
        assert_eq!(early.check(), Ok(()));
        assert_eq!(slot.take(), None);
        let late = slot.begin().unwrap();
        assert_eq!((early.check(), late.check()), (Err(Status::Closed), Ok(())));
        assert_eq!([&early, &late].map(|filling| slot.is_filled_by(&filling.token())), [false, true]);
        assert_eq!(early.finish(1), Err(1));
        assert_eq!(late.finish(2), Ok(()));
        assert_eq!((content(&slot), slot.take(), content(&slot)), (Some(2), Some(2), None));
    }

    #[test]
    fn what_is_shut_is_emptied_and_never_filled_again() {
        let slot = Slot::default();
        let filling = slot.begin().unwrap();
        assert!(!slot.is_shut());
        slot.shut();
        assert!(slot.is_shut());
        assert_eq!((filling.finish(1), refusal(&slot)), (Err(1), Some(Status::Closed)));
        let slot = Slot::default();
        slot.begin().unwrap().finish(1).unwrap();
        slot.shut();
        assert_eq!((content(&slot), slot.take(), refusal(&slot)), (Some(1), Some(1), Some(Status::Closed)));
    }

    #[test]
    fn who_only_tries_does_not_wait_for_the_lock() {
        let slot = Slot::default();
        slot.begin().unwrap().finish(1).unwrap();
        assert_eq!(slot.try_with(|there| *there), Some(1));
        assert_eq!(slot.with(|_| slot.try_with(|there| *there)), Some(None));
    }
}
