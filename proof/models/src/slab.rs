//! The slab of the handle table, as its documentation promises it. How it keeps that without a lock is checked by models of its own.

use crate::sync::Mutex;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

pub trait Config {
    const MAX_THREADS: usize;
    const MAX_PAGES: usize;
    const INITIAL_PAGE_SIZE: usize;
    const RESERVED_BITS: usize;
}

pub struct Slab<T, C> {
    places: Mutex<Vec<Place<T>>>,
    config: PhantomData<fn(C)>,
}

struct Place<T> {
    value: Option<Arc<T>>,
    /// Whoever has it may go on, nobody else gets it.
    removed: bool,
    generation: usize,
}

const GENERATION: usize = 1 << 16;

pub struct Entry<'a, T, C> {
    slab: &'a Slab<T, C>,
    place: usize,
    value: Option<Arc<T>>,
}

impl<T, C> Slab<T, C> {
    #[expect(clippy::extra_unused_type_parameters, reason = "the library names its configuration")]
    pub fn new_with_config<D>() -> Self {
        Slab { places: Mutex::default(), config: PhantomData }
    }

    pub fn insert(&self, value: T) -> Option<usize> {
        let mut places = self.places.lock();
        let place = places.iter().position(|place| place.value.is_none()).unwrap_or(places.len());
        if place == places.len() {
            places.push(Place { value: None, removed: false, generation: 0 });
        }
        places[place].value = Some(Arc::new(value));
        Some(places[place].generation * GENERATION + place)
    }

    pub fn get(&self, key: usize) -> Option<Entry<'_, T, C>> {
        let places = self.places.lock();
        let place = places.get(key % GENERATION)?;
        let value = place.value.clone().filter(|_| !place.removed && place.generation == key / GENERATION)?;
        Some(Entry { slab: self, place: key % GENERATION, value: Some(value) })
    }

    /// Yes to each of several that remove at once, while an entry is held.
    pub fn remove(&self, key: usize) -> bool {
        let mut places = self.places.lock();
        let Some(place) = places.get_mut(key % GENERATION) else { return false };
        if place.value.is_none() || place.generation != key / GENERATION {
            return false;
        }
        place.removed = true;
        let gone = place.empty_if_unused();
        drop(places);
        drop(gone);
        true
    }
}

impl<T> Place<T> {
    fn empty_if_unused(&mut self) -> Option<Arc<T>> {
        if !self.removed || self.value.as_ref().is_none_or(|value| Arc::strong_count(value) > 1) {
            return None;
        }
        self.removed = false;
        self.generation += 1;
        self.value.take()
    }
}

impl<T, C> Deref for Entry<'_, T, C> {
    type Target = T;
    fn deref(&self) -> &T {
        self.value.as_ref().expect("it is held until it is dropped")
    }
}

impl<T, C> Drop for Entry<'_, T, C> {
    fn drop(&mut self) {
        let mut places = self.slab.places.lock();
        self.value = None;
        let gone = places[self.place].empty_if_unused();
        drop(places);
        drop(gone);
    }
}
