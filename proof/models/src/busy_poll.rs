//! No wait looks again and again before it sleeps: how often it may is a matter of time, of which the models have none, and looking
//! once more is looking once.

#[derive(Clone, Copy, Debug, Default)]
pub enum BusyPoll {
    #[default]
    Never,
}

pub(crate) struct BusyPoller;

impl BusyPoller {
    pub fn new(_: BusyPoll) -> BusyPoller {
        BusyPoller
    }

    pub fn begin(&self) -> Looking {
        Looking
    }
}

pub(crate) struct Looking;

impl Looking {
    pub fn goes_on(&self) -> bool {
        false
    }

    pub fn found_nothing(&mut self) {}

    pub fn found(self) {}
}
