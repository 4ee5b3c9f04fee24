//! Which of many endpoints alone has been ready of late: looking at it costs less than asking the system about all.

/// How often in a row an endpoint alone is ready before it is looked at alone.
const SOLO_AFTER: u32 = 4;
/// Of so many looks in a row that find nothing one is at everything, so that the soloist does not hide the others.
const LOOKS_PER_LOOK_AT_ALL: u32 = 8;

/// The endpoint that alone was ready each time that the system was asked.
#[derive(Debug, Default)]
pub(crate) struct Soloist {
    key: usize,
    /// How often in a row.
    times: u32,
    /// Looks, at it or at everything, since something came.
    looks: u32,
    /// Since the last event of it nothing was there: what is there now is new.
    was_empty: bool,
    /// Since the system named it its time to be looked at has come.
    had_time: bool,
}

impl Soloist {
    /// The system was asked, and named this key, as the first or after others.
    pub fn learn(&mut self, key: usize, first: bool) {
        let times = if first && key == self.key { self.times.saturating_add(1) } else { 0 };
        // That was a look at everything.
        *self = Soloist { key, times, looks: 1, was_empty: false, had_time: false };
    }

    /// A look at it has found something. The next one is at everything: it may always have something.
    pub fn came(&mut self) {
        self.looks = 0;
    }

    /// The key of what to look at next; none: everything.
    pub fn next_look(&mut self) -> Option<usize> {
        let is_its_turn = !self.looks.is_multiple_of(LOOKS_PER_LOOK_AT_ALL);
        self.looks = self.looks.wrapping_add(1);
        (is_its_turn && self.times >= SOLO_AFTER).then_some(self.key)
    }

    /// Whether [`Soloist::judge`] is worth a look. The first one since the system named it is left to the system: something that was there
    /// would tell nothing, and often it is, where both sides share a processor.
    pub fn is_worth_judging(&mut self) -> bool {
        std::mem::replace(&mut self.had_time, true)
    }

    /// A look has found it readable or not: whether that is an event. None if only the system can tell, as of what has been reported
    /// and was left unread.
    pub fn judge(&mut self, readable: bool) -> Option<bool> {
        if !readable {
            self.was_empty = true;
            return Some(false);
        }
        std::mem::take(&mut self.was_empty).then_some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soloist_of(key: usize) -> Soloist {
        let mut soloist = Soloist::default();
        for _ in 0..=SOLO_AFTER {
            soloist.learn(key, true);
        }
        soloist
    }

    /// What so many looks are at that are enough for one at everything.
    fn looks(soloist: &mut Soloist) -> Vec<Option<usize>> {
        (0..LOOKS_PER_LOOK_AT_ALL).map(|_| soloist.next_look()).collect()
    }

    #[test]
    fn who_is_ready_alone_is_looked_at_alone_but_for_one_look_in_so_many() {
        let mut soloist = Soloist::default();
        for _ in 0..SOLO_AFTER {
            soloist.learn(7, true);
            assert!(looks(&mut soloist).iter().all(Option::is_none));
        }
        soloist.learn(7, true);
        let looks = looks(&mut soloist);
        assert_eq!(looks.iter().filter(|look| look.is_none()).count(), 1);
        assert_eq!(looks.iter().filter(|look| **look == Some(7)).count(), looks.len() - 1);
    }

    #[test]
    fn who_is_ready_with_others_or_after_them_is_none() {
        for others in [vec![(7, true), (8, false)], vec![(8, true)], vec![(8, true), (7, false)]] {
            let mut soloist = soloist_of(7);
            for (key, first) in others {
                soloist.learn(key, first);
            }
            assert!(looks(&mut soloist).iter().all(Option::is_none));
        }
    }

    #[test]
    fn after_something_came_everything_is_looked_at() {
        let mut soloist = soloist_of(7);
        for _ in 0..3 {
            assert_eq!(soloist.next_look(), Some(7));
            soloist.came();
            assert_eq!(soloist.next_look(), None);
        }
    }

    #[test]
    fn the_first_look_since_it_was_named_is_left_to_the_system() {
        let mut soloist = soloist_of(7);
        for _ in 0..3 {
            assert_eq!([(); 3].map(|()| soloist.is_worth_judging()), [false, true, true]);
            soloist.came();
            assert!(soloist.is_worth_judging());
            soloist.learn(7, true);
        }
    }

    #[test]
    fn what_is_there_is_an_event_once_after_nothing_was_there() {
        let mut soloist = soloist_of(7);
        assert_eq!(soloist.judge(true), None);
        for _ in 0..2 {
            assert_eq!(soloist.judge(false), Some(false));
            assert_eq!(soloist.judge(true), Some(true));
            assert_eq!(soloist.judge(true), None);
        }
        for key in [8, 8] {
            soloist.judge(false);
            soloist.learn(key, true);
            assert_eq!(soloist.judge(true), None, "the system has told of what is there");
        }
    }
}
