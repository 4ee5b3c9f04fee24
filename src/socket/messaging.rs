//! What a socket has for messages: how they are told apart, what both sides have said first, and how long the peer may take.

use crate::clock::Clock;
use crate::error::{Error, Result, Status};
use crate::frame::{DEFAULT_MAX_MESSAGE, Framing, Parser};
use crate::handshake::{Application, Greeting};
use crate::inbox::Inbox;
use crate::visited::Visited;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// How messages are sent and received.
#[derive(Clone, Debug)]
pub struct MessageOptions {
    /// How they are told apart.
    pub framing: Framing,
    /// The largest message in bytes, sent or received. At most what four bytes can count.
    pub max_message: usize,
    /// How long the rest of a message may take once its first byte came. None: as long as it likes. In a service, the time does not count
    /// for which its thread left a peer no room to send more, as it was at others'.
    pub message_timeout: Option<Duration>,
    /// How long the peer may take for its part of the handshake of checked frames, from the connection on.
    pub handshake_timeout: Duration,
    /// What the handshake of checked frames compares. With another framing there is none: the default, and nothing else.
    pub application: Application,
    /// Descriptors taken with one message at most. More end the connection. Zero: none is taken: the kernel turns away who sends some
    /// (Linux 6.16 and newer, but for adopted sockets) or closes them.
    pub max_descriptors: usize,
    /// What the deadlines above run on. With a clock that a test moves, a blocking receive looks at them only when it is called; a
    /// service ([`crate::ServiceOptions::clock`], which takes the place of this) at once.
    pub clock: Clock,
}

impl MessageOptions {
    /// The defaults: messages of at most 16 MiB, no deadline for the rest of one, ten seconds for the handshake, no
    /// descriptors.
    pub fn new(framing: Framing) -> Self {
        MessageOptions {
            framing,
            max_message: DEFAULT_MAX_MESSAGE,
            message_timeout: None,
            handshake_timeout: Duration::from_secs(10),
            application: Application::default(),
            max_descriptors: 0,
            clock: Clock::default(),
        }
    }

    /// Whether a peer can be late with something: a part of a message, or the handshake.
    pub(crate) fn have_deadlines(&self) -> bool {
        self.message_timeout.is_some() || self.framing == Framing::Checked
    }
}

/// Says of each message whether it may be delivered.
pub type Validator = dyn Fn(&[u8]) -> bool + Send + Sync;

/// What a socket has for messages.
pub(super) struct Messaging {
    pub options: Arc<MessageOptions>,
    /// What this side says first, with checked frames.
    greeting: Option<Greeting>,
    /// What the other side said first.
    pub peer: OnceLock<Greeting>,
    /// What the other side did wrong.
    pub broken_off: OnceLock<Status>,
    made: Instant,
    /// Held for a whole receive, so that several threads get whole messages.
    pub inbox: Visited<Inbox>,
    /// [`Messaging::may_have_more`] at the end of the last receive; meanwhile there may be.
    pub more: AtomicBool,
    /// Whether there is a validator, for those who don't lock.
    pub validates: AtomicBool,
    pub validator: Mutex<Option<Arc<Validator>>>,
    /// Messages accepted to be sent.
    pub sent: AtomicU64,
    /// Messages delivered to the caller.
    pub received: AtomicU64,
}

impl Messaging {
    pub fn new(options: &Arc<MessageOptions>) -> Result<Messaging> {
        let MessageOptions { framing, max_message, .. } = **options;
        if max_message == 0 || u32::try_from(max_message).is_err() {
            let context = format!("messages of at most {max_message} bytes: 1 to {}", u32::MAX);
            return Err(Error::new(Status::InvalidArgument, context));
        }
        if framing != Framing::Checked && options.application != Application::default() {
            let context = "an application's name or version, which only checked frames compare";
            return Err(Error::new(Status::InvalidArgument, context));
        }
        let greeting = (framing == Framing::Checked)
            .then(|| Greeting::new(&options.application, max_message))
            .transpose()?;
        Ok(Messaging {
            options: options.clone(),
            greeting,
            peer: OnceLock::new(),
            broken_off: OnceLock::new(),
            made: options.clock.now(),
            inbox: Visited::new(Inbox::new(
                Parser::new(framing, max_message),
                options.message_timeout.map(|_| options.clock.clone()),
            )),
            more: AtomicBool::new(true),
            validates: AtomicBool::new(false),
            validator: Mutex::default(),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
        })
    }

    /// What is sent first.
    pub fn first_words(&self) -> Vec<u8> {
        self.greeting.as_ref().map(Greeting::encode).unwrap_or_default()
    }

    /// The largest message that both sides take, as far as the other side has said.
    pub fn limit(&self) -> usize {
        let theirs = self.peer.get().map_or(u32::MAX, |peer| peer.max_message);
        self.options.max_message.min(usize::try_from(theirs).unwrap_or(usize::MAX))
    }

    /// This side's greeting while the other side's is expected.
    pub fn awaited(&self) -> Option<&Greeting> {
        self.greeting.as_ref().filter(|_| self.peer.get().is_none())
    }

    /// Takes the other side's greeting from the front of what came, if one is expected and whole. True when none is
    /// expected any more.
    pub fn greeted(&self, inbox: &mut Inbox) -> Result<bool> {
        let Some(ours) = self.awaited() else { return Ok(true) };
        let Some((theirs, length)) = Greeting::parse(inbox.bytes())? else { return Ok(false) };
        ours.check(&theirs)?;
        inbox.skip(length);
        // Set once, as the inbox is locked.
        let _ = self.peer.set(theirs);
        Ok(true)
    }

    /// Whether another receive may find a message without waiting.
    pub fn may_have_more(&self, inbox: &mut Inbox) -> bool {
        !inbox.is_drained() || self.has_message(inbox)
    }

    /// Whether a receive finds a message, or what is wrong with one, without asking the system.
    pub fn has_message(&self, inbox: &mut Inbox) -> bool {
        // Who made the greeting whole has taken it, so what is there before is a part of it.
        !inbox.bytes().is_empty() && self.awaited().is_none() && !matches!(inbox.first(), Ok(None))
    }

    /// Until when the peer has to have done its part of the handshake, if that is expected.
    pub fn greeting_due(&self) -> Option<Instant> {
        self.awaited().and_then(|_| self.made.checked_add(self.options.handshake_timeout))
    }

    /// Until when the rest of a message has to come, of which this side has a part.
    pub fn rest_due(&self, inbox: &Inbox) -> Option<Instant> {
        inbox.begun()?.checked_add(self.options.message_timeout?)
    }

    /// Until when the peer has to go on, and what it is late with otherwise.
    pub fn due(&self, inbox: &Inbox) -> Option<(Instant, &'static str)> {
        if self.awaited().is_some() {
            return self.greeting_due().map(|due| (due, "its part of the handshake"));
        }
        self.rest_due(inbox).map(|due| (due, "the rest of a message"))
    }
}
