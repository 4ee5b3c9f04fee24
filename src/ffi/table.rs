//! The table behind the handles of a type: objects under keys, none of which is ever given twice.
//!
//! A key is, from its top bit: four bits that are zero, where a handle has its type; a generation of 36 bits; a place of 24.
//! A place that is used again has another generation, and one whose generations are used up is not used again, so a key from
//! before is always found out. That takes nothing that is missed: a place has seventy thousand million generations.
//!
//! A look-up writes to no memory that threads share, so any number of them may look up the same key. That it has the entry
//! is noted with its own thread, by arc-swap; whoever takes the entry out gives a reference of its own to each of those that
//! have it by then, and the last of them drops it.

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, OnceLock};
use crate::sys;
use arc_swap::{ArcSwapOption, Guard};
use std::ops::Deref;

/// The bits of a key, below those of the handle's type.
pub(super) const KEY_BITS: u32 = usize::BITS - 4;
const PLACE_BITS: u32 = 24;
const _: () =
    assert!(KEY_BITS - PLACE_BITS >= 25, "too few generations: creating handles would soon be over");

/// Pages stay where they are, and each has twice as many places as the one before it.
const FIRST_PAGE: usize = 32;
const PAGES: usize = (PLACE_BITS - FIRST_PAGE.ilog2()) as usize;
const PLACES: usize = (FIRST_PAGE << PAGES) - FIRST_PAGE;

/// What no key is: its type's bits are not zero.
const NO_KEY: usize = usize::MAX;

pub(super) struct Table<T> {
    pages: [OnceLock<Box<[Place<T>]>>; PAGES],
    free: Mutex<Free>,
}

/// Eight to a cache line: it is only written to when a handle is made or destroyed.
type Place<T> = ArcSwapOption<Entry<T>>;

#[derive(Default)]
struct Free {
    /// Of places that were used before, the keys of what comes next.
    keys: Vec<usize>,
    /// So many places have been used, from the first.
    used: usize,
}

// What each look-up reads is next to what the object has at its beginning.
#[repr(C)]
struct Entry<T> {
    /// Or `NO_KEY`.
    key: AtomicUsize,
    process: u32,
    object: T,
}

/// A reference for the duration of a call: the object is dropped when it was removed and the last of these has gone.
pub(super) struct Held<T>(Guard<Option<Arc<Entry<T>>>>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table { pages: Default::default(), free: Mutex::default() }
    }
}

impl<T> Table<T> {
    /// The key of an object that is now in the table; none if that is full.
    pub(super) fn insert(&self, object: T) -> Option<usize> {
        let key = self.free.lock().take()?;
        let (page, index) = locate(key);
        let page =
            self.pages[page].get_or_init(|| (0..FIRST_PAGE << page).map(|_| Place::default()).collect());
        let entry = Entry { key: AtomicUsize::new(key), process: sys::process_id(), object };
        page[index].store(Some(Arc::new(entry)));
        Some(key)
    }

    pub(super) fn get(&self, key: usize) -> Option<Held<T>> {
        let entry = self.place(key)?.load();
        // What is there now may be of another generation. What was loaded stays what it is.
        entry.as_ref().is_some_and(|entry| entry.key() == key).then_some(Held(entry))
    }

    /// Nobody gets it any more. Of several that remove it at once, one does.
    pub(super) fn remove(&self, held: &Held<T>) -> bool {
        let entry = held.entry();
        let Some(place) = self.place(entry.key()) else { return false };
        // While this one is held, there is no other at its address.
        let found = place.compare_and_swap(&held.0, None);
        if !found.as_ref().is_some_and(|found| Arc::ptr_eq(found, entry)) {
            return false;
        }
        self.free.lock().give_back(entry.key());
        true
    }

    fn place(&self, key: usize) -> Option<&Place<T>> {
        let (page, index) = locate(key);
        self.pages.get(page)?.get()?.get(index)
    }
}

/// The page of a key, and its place there.
fn locate(key: usize) -> (usize, usize) {
    // With as many places before the first page, each page begins at its own length.
    let place = key % (1 << PLACE_BITS) + FIRST_PAGE;
    let page = place.ilog2() - FIRST_PAGE.ilog2();
    (page as usize, place - (FIRST_PAGE << page))
}

impl Free {
    fn take(&mut self) -> Option<usize> {
        if let Some(key) = self.keys.pop() {
            return Some(key);
        }
        let unused = self.used;
        if unused == PLACES {
            return None;
        }
        self.used += 1;
        Some(unused)
    }

    fn give_back(&mut self, key: usize) {
        let next = key + (1 << PLACE_BITS);
        if next >> KEY_BITS == 0 {
            self.keys.push(next);
        }
    }
}

impl<T> Held<T> {
    /// Whether it was made by the process that this one was forked from.
    pub(super) fn is_inherited(&self) -> bool {
        self.entry().process != sys::process_id()
    }

    /// Nobody gets it any more, but it stays where it is, for good: of one that is inherited, every lock may be held by a thread which
    /// only the parent has, and dropping it would wait for that. Those are no more than the parent's handles. Of several that do so at
    /// once, one does.
    pub(super) fn disown(&self) -> bool {
        self.entry().key.swap(NO_KEY, Ordering::Relaxed) != NO_KEY
    }

    fn entry(&self) -> &Arc<Entry<T>> {
        self.0.as_ref().expect("only an entry is held")
    }
}

impl<T> Entry<T> {
    fn key(&self) -> usize {
        self.key.load(Ordering::Relaxed)
    }
}

impl<T> Deref for Held<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.entry().object
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    const WATCHDOG: Duration = Duration::from_secs(30);
    const NEXT: usize = 1 << PLACE_BITS;

    fn removed<T>(table: &Table<T>, key: usize) -> bool {
        table.get(key).is_some_and(|held| table.remove(&held))
    }

    fn places<T>(table: &Table<T>) -> usize {
        table.free.lock().used
    }

    #[test]
    fn each_place_is_another_one_of_a_page() {
        let ends = [(0, (0, 0)), (31, (0, 31)), (32, (1, 0)), (95, (1, 63)), (96, (2, 0)), (223, (2, 127))];
        for (place, there) in ends {
            assert_eq!(locate(place), there);
            assert_eq!(locate(7 * NEXT + place), there, "whatever the generation");
        }
        assert_eq!(locate(PLACES - 1), (PAGES - 1, (FIRST_PAGE << (PAGES - 1)) - 1));
        assert_eq!(locate(PLACES), (PAGES, 0), "in no page");
        assert!((1 << 21..1 << 24).contains(&PLACES));
    }

    #[test]
    fn what_never_was_is_not_found() {
        let table = Table::default();
        assert!(table.get(0).is_none(), "no page");
        let key = table.insert("object").unwrap();
        for other in [key + 1, key + NEXT, PLACES, NEXT - 1, usize::MAX >> 4] {
            assert!(table.get(other).is_none(), "{other:#x}");
        }
        assert_eq!(*table.get(key).unwrap(), "object");
    }

    #[test]
    fn many_are_there_at_once() {
        let table = Table::default();
        let keys: Vec<usize> = (0..1000).map(|number| table.insert(number).unwrap()).collect();
        for (number, key) in keys.iter().enumerate() {
            assert_eq!(*table.get(*key).unwrap(), number);
        }
        assert!(keys.iter().all(|key| removed(&table, *key)));
        assert!(keys.iter().all(|key| table.get(*key).is_none()));
    }

    #[test]
    fn a_place_is_used_again_and_no_key_is() {
        let table = Table::default();
        let mut before = Vec::new();
        for round in 0..100 {
            let key = table.insert(round).unwrap();
            assert!(before.iter().all(|old| *old != key && table.get(*old).is_none()), "{key:#x}");
            assert_eq!(*table.get(key).unwrap(), round);
            assert!(removed(&table, key));
            assert!(!removed(&table, key));
            before.push(key);
        }
        assert_eq!(places(&table), 1);
        assert!(table.free.lock().keys.len() <= 1);
    }

    #[test]
    fn a_place_whose_generations_are_used_up_is_not_used_again() {
        let table = Table::default();
        let last = (1 << KEY_BITS) - NEXT;
        let first = table.insert("first").unwrap();
        assert!(removed(&table, first));
        assert_eq!(table.free.lock().keys, [first + NEXT]);
        // So many times later.
        table.free.lock().keys = vec![last - NEXT];
        for key in [last - NEXT, last] {
            assert_eq!(table.insert("late"), Some(key));
            assert_eq!(key >> KEY_BITS, 0, "the type's bits are left alone");
            assert!(removed(&table, key));
        }
        let next = table.insert("next").unwrap();
        assert_eq!((next, places(&table)), (1, 2));
    }

    #[test]
    fn a_full_table_takes_nothing_until_something_is_removed() {
        let table = Table::default();
        let key = table.insert("first").unwrap();
        table.free.lock().used = PLACES;
        assert_eq!(table.insert("one too many"), None);
        assert!(removed(&table, key));
        assert!(table.insert("instead").is_some());
        assert_eq!(table.insert("one too many"), None);
        let mut free = Free { keys: Vec::new(), used: PLACES - 1 };
        assert_eq!([free.take(), free.take()], [Some(PLACES - 1), None]);
    }

    #[test]
    fn what_is_removed_is_dropped_when_the_last_call_has_left() {
        let table = Table::default();
        let object = Arc::new(());
        let key = table.insert(object.clone()).unwrap();
        let (first, second) = (table.get(key).unwrap(), table.get(key).unwrap());
        assert!(table.remove(&first));
        assert!(!table.remove(&second));
        let next = table.insert(Arc::default()).unwrap();
        assert_eq!(locate(next), locate(key));
        drop(first);
        assert!(Arc::ptr_eq(&second, &object), "and not the next one in its place");
        assert_eq!(Arc::strong_count(&object), 2);
        drop(second);
        assert_eq!(Arc::strong_count(&object), 1);
    }

    /// All processors would be after the count, if one was kept.
    #[test]
    fn a_look_up_counts_nothing_in_the_entry() {
        let table = Table::default();
        let key = table.insert(()).unwrap();
        let (first, second) = (table.get(key).unwrap(), table.get(key).unwrap());
        assert_eq!([&first, &second].map(|held| Arc::strong_count(held.entry())), [1, 1]);
    }

    /// More than a thread can note without counting.
    #[test]
    fn a_thread_may_hold_any_number() {
        const MANY: usize = 100;
        let table = Table::default();
        let object = Arc::new(());
        let keys: Vec<usize> = (0..MANY).map(|_| table.insert(object.clone()).unwrap()).collect();
        let held: Vec<_> = keys.iter().map(|key| table.get(*key).unwrap()).collect();
        assert!(keys.iter().all(|key| removed(&table, *key)));
        assert_eq!(Arc::strong_count(&object), MANY + 1);
        drop(held);
        assert_eq!(Arc::strong_count(&object), 1);
    }

    /// What a forked child has of its parent's: made by another process, and the lock is somebody's who is not there.
    #[test]
    fn what_is_inherited_is_nobodys_any_more_without_the_lock_and_stays() {
        let table = Arc::new(Table::default());
        let object = Arc::new(());
        let key = table.insert(object.clone()).unwrap();
        assert!(!table.get(key).unwrap().is_inherited());
        let process = sys::process_id() + 1;
        let inherited = Entry { object: object.clone(), key: AtomicUsize::new(key), process };
        table.place(key).unwrap().store(Some(Arc::new(inherited)));
        let locked = table.free.lock();
        let (told, answer) = mpsc::channel();
        let child = thread::spawn({
            let table = table.clone();
            move || {
                let (first, second) = (table.get(key).unwrap(), table.get(key).unwrap());
                let disowned = [first.disown(), second.disown()];
                told.send((first.is_inherited(), disowned, table.get(key).is_none()))
            }
        });
        assert_eq!(answer.recv_timeout(WATCHDOG), Ok((true, [true, false], true)));
        drop(locked);
        child.join().unwrap().unwrap();
        assert_eq!(Arc::strong_count(&object), 2);
        assert_ne!(table.insert(Arc::default()), Some(key));
    }

    /// Looks up, makes and removes when its thread's other thread-locals have gone.
    struct AtTheEnd {
        table: Arc<Table<u32>>,
        key: usize,
        told: mpsc::Sender<(Option<u32>, bool)>,
    }

    impl Drop for AtTheEnd {
        fn drop(&mut self) {
            let found = self.table.get(self.key).map(|held| *held);
            let made = self.table.insert(8).is_some_and(|key| removed(&self.table, key));
            let _ = self.told.send((found, made));
        }
    }

    #[test]
    fn a_thread_that_ends_has_the_table_until_its_last_destructor() {
        thread_local! {
            static AT_THE_END: Cell<Option<AtTheEnd>> = const { Cell::new(None) };
        }
        let table = Arc::new(Table::default());
        let key = table.insert(7).unwrap();
        let (told, answer) = mpsc::channel();
        thread::spawn({
            let table = table.clone();
            move || {
                // Thread-locals go in the reverse order: so this one goes after that by which the table knows the thread.
                AT_THE_END.set(Some(AtTheEnd { table: table.clone(), key, told }));
                assert!(table.get(key).is_some());
            }
        })
        .join()
        .unwrap();
        assert_eq!(answer.recv_timeout(WATCHDOG), Ok((Some(7), true)));
    }

    /// Knows whether it was dropped, which a look-up must never lead to.
    struct Object {
        number: usize,
        alive: AtomicUsize,
    }

    const ALIVE: usize = 0x600d;

    impl Drop for Object {
        fn drop(&mut self) {
            self.alive.store(0, Ordering::Relaxed);
        }
    }

    #[test]
    fn threads_find_what_they_look_up_or_nothing_while_others_remove_it() {
        const ROUNDS: usize = 5000;
        // Two of them, whose objects are of one size: memory that one gives back is the other's next.
        let tables: [Table<Object>; 2] = Default::default();
        let latest = [const { AtomicUsize::new(0) }; 2];
        let look_up = |mine: usize| {
            for _ in 0..20 * ROUNDS {
                let key = latest[mine].load(Ordering::Relaxed);
                if let Some(held) = tables[mine].get(key) {
                    assert_eq!(held.alive.load(Ordering::Relaxed), ALIVE);
                    assert_eq!(held.number, key / NEXT * 2 + mine);
                }
            }
        };
        let replace = |mine: usize| {
            for round in 0..ROUNDS {
                let object = Object { number: round * 2 + mine, alive: AtomicUsize::new(ALIVE) };
                let key = tables[mine].insert(object).unwrap();
                latest[mine].store(key, Ordering::Relaxed);
                thread::yield_now();
                assert!(removed(&tables[mine], key));
            }
        };
        thread::scope(|scope| {
            for mine in [0, 1] {
                scope.spawn(move || look_up(mine));
                scope.spawn(move || look_up(mine));
                scope.spawn(move || replace(mine));
            }
        });
        assert_eq!(tables.each_ref().map(places), [1, 1]);
    }
}
