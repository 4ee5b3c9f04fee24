//! What a poller watches, under keys of which none is soon given again.

use crate::endpoint::Watched;
use crate::error::{Error, Result, Status};
use crate::poller::Interest;
use slab::Slab;
use std::sync::{Arc, Weak};

#[derive(Default)]
pub(crate) struct Sources {
    slots: Slab<Watch>,
    generation: u32,
}

pub(crate) struct Watch {
    pub endpoint: Weak<dyn Watched>,
    generation: u32,
    pub token: u64,
    pub interest: Interest,
    /// [`Watched::insists`].
    pub insists: bool,
}

/// The number under which the system reports an endpoint: the slot, and a generation, so that a late report of one
/// that has been removed is not taken for its successor in the slot.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    slot: u32,
    generation: u32,
}

impl Key {
    pub fn pack(self) -> usize {
        ((self.generation as usize) << 32) | self.slot as usize
    }

    pub fn unpack(packed: usize) -> Key {
        Key { slot: packed as u32, generation: (packed >> 32) as u32 }
    }
}

impl Sources {
    pub fn insert(&mut self, endpoint: &Arc<dyn Watched>, token: u64, interest: Interest) -> Result<Key> {
        // The topmost generation is left out: with the topmost slot it would be the selector's own key.
        self.generation = (self.generation + 1) % (u32::MAX >> 1);
        let generation = self.generation;
        let entry = self.slots.vacant_entry();
        let slot =
            u32::try_from(entry.key()).map_err(|_| Error::new(Status::LimitReached, "add to a poller"))?;
        let insists = endpoint.insists();
        entry.insert(Watch { endpoint: Arc::downgrade(endpoint), generation, token, interest, insists });
        Ok(Key { slot, generation })
    }

    /// None: it has been removed.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut Watch> {
        self.slots.get_mut(key.slot as usize).filter(|watch| watch.generation == key.generation)
    }

    pub fn remove(&mut self, key: Key) -> Option<Watch> {
        self.get_mut(key)?;
        Some(self.slots.remove(key.slot as usize))
    }

    pub fn endpoints(&self) -> impl Iterator<Item = Arc<dyn Watched>> {
        self.slots.iter().filter_map(|(_, watch)| watch.endpoint.upgrade())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Endpoint;
    use crate::sys::Stream;

    #[test]
    fn a_key_from_before_is_not_taken_for_the_next_one_in_its_slot() {
        let (stream, _peer) = Stream::pair().unwrap();
        let endpoint: Arc<dyn Watched> = Arc::new(Endpoint::new(stream));
        let mut sources = Sources::default();
        let insert =
            |sources: &mut Sources, token| sources.insert(&endpoint, token, Interest::READABLE).unwrap();
        let first = insert(&mut sources, 1);
        assert_eq!(sources.remove(first).map(|watch| watch.token), Some(1));
        assert!(sources.remove(first).is_none());
        let second = insert(&mut sources, 2);
        let other = insert(&mut sources, 3);
        assert_eq!((second.slot, first.slot), (first.slot, 0));
        assert!(sources.get_mut(first).is_none() && sources.remove(first).is_none());
        for (key, token) in [(second, 2), (other, 3)] {
            let unpacked = Key::unpack(key.pack());
            assert_eq!(sources.get_mut(unpacked).map(|watch| watch.token), Some(token));
        }
    }

    #[test]
    fn no_key_is_the_selectors_own() {
        let (stream, _peer) = Stream::pair().unwrap();
        let endpoint: Arc<dyn Watched> = Arc::new(Endpoint::new(stream));
        let mut sources = Sources { generation: (u32::MAX >> 1) - 2, ..Sources::default() };
        let mut generations =
            (0..2).map(|_| sources.insert(&endpoint, 0, Interest::READABLE).unwrap().generation);
        assert_eq!(generations.next(), Some((u32::MAX >> 1) - 1));
        assert_eq!(generations.next(), Some(0));
    }
}
