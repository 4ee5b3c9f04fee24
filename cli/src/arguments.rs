//! What several commands take.

use clap::builder::RangedU64ValueParser;
use clap::error::ErrorKind;
use clap::{Args, ValueEnum};
use moorline::name::Name;
use moorline::{Framing, MessageOptions, Scope, Timeout, Trust};
use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// Where a plain name lives.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum ScopeName {
    /// The temp directory, as Qt has it
    #[default]
    Temporary,
    /// The user's runtime directory
    Runtime,
    /// The abstract namespace
    Abstract,
}

impl From<ScopeName> for Scope {
    fn from(name: ScopeName) -> Scope {
        match name {
            ScopeName::Temporary => Scope::Temporary,
            ScopeName::Runtime => Scope::Runtime,
            ScopeName::Abstract => Scope::Abstract,
        }
    }
}

/// A name and where it lives.
#[derive(Args)]
pub struct NameArguments {
    /// A plain name, or an absolute path
    pub name: OsString,
    /// Where a plain name lives
    #[arg(long, value_enum, default_value_t)]
    pub scope: ScopeName,
}

impl NameArguments {
    pub fn resolve(&self) -> moorline::Result<Name> {
        Name::resolve(&self.name, self.scope.into())
    }
}

/// Whose server is connected to.
#[derive(Args)]
pub struct TrustArguments {
    /// Connect to a server of any user, not only to one of this user's or root's
    #[arg(long)]
    trust_anyone: bool,
}

impl TrustArguments {
    pub fn trust(&self) -> Trust {
        if self.trust_anyone { Trust::Anyone } else { Trust::SameUser }
    }
}

/// How messages are told apart.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum FramingName {
    /// A length of four bytes before each: what QDataStream does with a QByteArray
    BigEndian,
    /// The same, least significant byte first
    LittleEndian,
    /// A line feed after each
    Lines,
    /// A handshake; a length and a checksum before each
    Checked,
}

impl From<FramingName> for Framing {
    fn from(name: FramingName) -> Framing {
        match name {
            FramingName::BigEndian => Framing::BigEndian,
            FramingName::LittleEndian => Framing::LittleEndian,
            FramingName::Lines => Framing::Lines,
            FramingName::Checked => Framing::Checked,
        }
    }
}

/// Messages instead of a stream of bytes.
#[derive(Args)]
pub struct MessageArguments {
    /// Messages instead of a stream of bytes, told apart in this way
    #[arg(long, value_enum)]
    pub framing: Option<FramingName>,
    /// Bytes of the largest message
    #[arg(long, value_name = "BYTES", requires = "framing", value_parser = count().range(..=u64::from(u32::MAX)),
          default_value_t = moorline::DEFAULT_MAX_MESSAGE)]
    pub max_message: usize,
    /// The application's name, which checked frames compare; needs --framing checked
    #[arg(long, value_name = "NAME", requires = "framing", default_value = "")]
    pub application: String,
    /// The application's version, which checked frames compare; needs --framing checked
    #[arg(long, value_name = "NUMBER", requires = "framing", default_value_t = 0)]
    pub application_version: u32,
}

impl MessageArguments {
    /// Ends the process where the arguments do not go together, as the parser does, which cannot tell this.
    pub fn options(&self) -> Option<Arc<MessageOptions>> {
        let framing = self.framing?;
        let has_application = !self.application.is_empty() || self.application_version > 0;
        if has_application && !matches!(framing, FramingName::Checked) {
            let text = "--application and --application-version need --framing checked\n";
            clap::Error::raw(ErrorKind::ArgumentConflict, text).exit();
        }
        let application =
            moorline::Application { name: self.application.clone(), version: self.application_version };
        let max_message = self.max_message;
        Some(Arc::new(MessageOptions { max_message, application, ..MessageOptions::new(framing.into()) }))
    }
}

/// Seconds, with a fraction if need be, or a number of `s`, `ms` or `us`.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let units = [("us", 1e-6), ("ms", 1e-3), ("s", 1.0)];
    let unit = units.into_iter().find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, scale)));
    let (digits, scale) = unit.unwrap_or((text, 1.0));
    let number: f64 =
        digits.parse().map_err(|_| "not a number of seconds, nor one with s, ms or us".to_owned())?;
    let duration = Duration::try_from_secs_f64(number * scale).map_err(|error| error.to_string())?;
    if duration > LONGEST { Err("longer than a hundred years".to_owned()) } else { Ok(duration) }
}

/// A hundred years: clocks can be asked for any moment so far away.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// One value, or two with a hyphen between them, the lesser first.
pub fn range<T: Clone + PartialOrd>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<RangeInclusive<T>, String> {
    let range = match text.split_once('-') {
        Some((least, most)) => parse(least)?..=parse(most)?,
        None => parse(text).map(|value| value.clone()..=value)?,
    };
    if range.is_empty() { Err("the lesser comes first".to_owned()) } else { Ok(range) }
}

/// A number of what there is one of at least.
pub fn count() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

/// For ever, unless something was said.
pub fn timeout(limit: Option<Duration>) -> Timeout {
    limit.map_or(Timeout::Forever, Timeout::After)
}
