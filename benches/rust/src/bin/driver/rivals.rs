//! Somebody else who always wants the processor.

use moorline_benches::placement::{Placement, stay_on};
use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// A spinning thread on each processor that a measured program chooses, until this is dropped.
pub struct Rivals {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Rivals {
    pub fn start() -> Rivals {
        let over = Arc::new(AtomicBool::new(false));
        let spin_on = |processor| {
            let over = over.clone();
            thread::spawn(move || {
                stay_on(processor);
                while !over.load(Ordering::Relaxed) {
                    spin_loop();
                }
            })
        };
        let mut processors = Placement::processors().to_vec();
        processors.dedup();
        let threads = processors.into_iter().map(spin_on).collect();
        Rivals { over, threads }
    }
}

impl Drop for Rivals {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // Nothing in it panics.
            let _ = thread.join();
        }
    }
}
