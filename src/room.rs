//! Room to receive into. The sockets of a thread use the same as long as they leave nothing in it: it is warm in the
//! processor's cache, and a connection in which nothing happens has none.

use std::cell::RefCell;

/// The most that a thread keeps, in bytes: enough for several connections at once that leave something in theirs.
const KEPT: usize = 1024 * 1024;
/// The largest piece that is kept. A connection that leaves messages untaken holds what it has taken.
const LARGEST: usize = 256 * 1024;

thread_local! {
    static SPARE: RefCell<Spare> = const { RefCell::new(Spare { rooms: Vec::new(), bytes: 0 }) };
}

struct Spare {
    /// The one that was used last is used next.
    rooms: Vec<Vec<u8>>,
    bytes: usize,
}

/// What the thread has to spare, which may be nothing. What is in it means nothing.
pub(crate) fn take() -> Vec<u8> {
    let take = |spare: &mut Spare| {
        let room = spare.rooms.pop().unwrap_or_default();
        spare.bytes -= room.len();
        room
    };
    // A thread that is ending has none any more.
    SPARE.try_with(|spare| take(&mut spare.borrow_mut())).unwrap_or_default()
}

/// Gives room to the thread, which keeps it if it has not enough.
#[inline]
pub(crate) fn give(room: Vec<u8>) {
    if (1..=LARGEST).contains(&room.len()) {
        keep(room);
    }
}

fn keep(room: Vec<u8>) {
    let give = |spare: &mut Spare| {
        if spare.bytes + room.len() <= KEPT {
            spare.bytes += room.len();
            spare.rooms.push(room);
        }
    };
    let _ = SPARE.try_with(|spare| give(&mut spare.borrow_mut()));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lengths of all that the thread has, which has nothing any more then.
    fn take_all() -> Vec<usize> {
        std::iter::from_fn(|| Some(take().len()).filter(|length| *length > 0)).collect()
    }

    #[test]
    fn a_thread_has_what_it_was_given_last_first_and_no_more_than_enough() {
        assert!(take().is_empty(), "a thread has none at first");
        for (given, kept) in [
            (&[100, 0, 200][..], &[200, 100][..]),
            (&[LARGEST, LARGEST + 1], &[LARGEST]),
            (&[LARGEST; 5], &[LARGEST; 4]),
            (
                &[1, LARGEST, LARGEST, LARGEST, LARGEST, LARGEST - 1, 1],
                &[LARGEST - 1, LARGEST, LARGEST, LARGEST, 1],
            ),
        ] {
            for length in given {
                give(vec![0; *length]);
            }
            assert_eq!(take_all(), kept, "{given:?}");
        }
        give(vec![0; 10]);
        std::thread::spawn(|| assert!(take().is_empty(), "it is another's")).join().unwrap();
        assert_eq!(take_all(), [10]);
    }
}
