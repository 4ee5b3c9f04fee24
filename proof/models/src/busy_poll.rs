//! No wait looks again and again before it sleeps: how often it may is a matter of time, of which the models have none. So no model
//! looks at a soloist alone; unit tests do.

use std::marker::PhantomData;
use std::time::Duration;

#[derive(Clone, Copy, Debug, Default)]
pub enum BusyPoll {
    #[default]
    Never,
    For(Duration),
}

pub(crate) struct BusyPoller;

impl BusyPoller {
    pub fn new(_: BusyPoll) -> BusyPoller {
        BusyPoller
    }

    pub fn begin(&self) -> Looking<'_> {
        Looking(PhantomData)
    }

    pub fn begin_for(&self, _: Duration) -> Looking<'_> {
        self.begin()
    }
}

pub(crate) struct Looking<'a>(PhantomData<&'a BusyPoller>);

impl Looking<'_> {
    pub fn goes_on(&self) -> bool {
        false
    }

    pub fn found_nothing(&mut self) {}

    pub fn found(self, _: usize) {}

    pub fn ends(self) {}
}
