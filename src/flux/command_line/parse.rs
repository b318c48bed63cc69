//! Splits arguments into flags and values exactly like spf13/pflag v1.0.10 (`flag.go`, `parseArgs`).

use super::ExitCause;
use super::expand::Text;
use super::program::{Place, Word};
use crate::flux::Component;
use crate::flux::flags::{self, Flag, FlagType, Release};

/// One flag with its value, in the order of the arguments.
pub(super) struct Assignment {
    pub(super) flag: &'static Flag,
    pub(super) value: Text,
    pub(super) place: Place,
}

/// A flag that the version may have although the table lacks it, with what it would be set to.
pub(super) struct Presumption {
    pub(super) name: String,
    pub(super) value: Text,
    pub(super) place: Place,
}

/// How parsing ended.
pub(super) enum End {
    /// All arguments were understood.
    Complete,
    /// pflag stops the process.
    Exits(ExitCause),
    /// From here on the arguments cannot be told apart.
    Unclear(String),
}

/// What pflag reads from the arguments.
pub(super) struct Parsed {
    pub(super) assignments: Vec<Assignment>,
    pub(super) presumptions: Vec<Presumption>,
    /// Why the process may refuse the arguments although they could be read.
    pub(super) doubt: Option<String>,
    pub(super) end: End,
}

/// Reads all arguments; values are not validated yet.
///
/// `check` validates one assignment and is called in order, because the first fault decides.
pub(super) fn parse(
    component: Component,
    version: Release,
    words: Vec<Word>,
    check: impl Fn(&Assignment) -> Result<(), ExitCause>,
) -> Parsed {
    let mut parser = Parser {
        component,
        version,
        words: words.into_iter(),
        parsed: Vec::new(),
        presumptions: Vec::new(),
        doubt: None,
    };
    let end = parser.run(check);
    Parsed {
        assignments: parser.parsed,
        presumptions: parser.presumptions,
        doubt: parser.doubt,
        end,
    }
}

struct Parser {
    component: Component,
    version: Release,
    words: std::vec::IntoIter<Word>,
    parsed: Vec<Assignment>,
    presumptions: Vec<Presumption>,
    doubt: Option<String>,
}

impl Parser {
    fn run(&mut self, check: impl Fn(&Assignment) -> Result<(), ExitCause>) -> End {
        while let Some(word) = self.words.next() {
            let known = &word.text.known;
            let certain = word.text.unread.is_none();
            if known == "--" && certain {
                return End::Complete;
            }
            if is_positional(&word.text) {
                continue;
            }
            let step = match known.strip_prefix("--") {
                Some(_) => self.long(&word),
                None => short(&word.text),
            };
            match step {
                Ok(None) => {}
                Ok(Some(assignment)) => {
                    if let Err(cause) = check(&assignment) {
                        return End::Exits(cause);
                    }
                    self.parsed.push(assignment);
                }
                Err(end) => return end,
            }
        }
        End::Complete
    }

    /// `--name`, `--name=value` or `--name value`.
    fn long(&mut self, word: &Word) -> Result<Option<Assignment>, End> {
        let body = &word.text.known[2..];
        let (name, attached) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (body, None),
        };
        if attached.is_none() {
            word.text.read().map_err(|why| unclear(word, why))?;
        }
        if name.is_empty() || name.starts_with('-') {
            return Err(End::Exits(ExitCause::BadSyntax {
                argument: word.text.known.clone(),
            }));
        }
        let attached = attached.map(|value| Text {
            known: value.to_owned(),
            unread: word.text.unread.clone(),
        });
        let Some(flag) = self.flag(name) else {
            return self.unlisted(name, attached, word);
        };
        let place = word.place.clone();
        let value = match attached {
            Some(value) => value,
            None if flag.kind == FlagType::Bool => Text {
                known: "true".to_owned(),
                unread: None,
            },
            None => self.next_value(name)?,
        };
        Ok(Some(Assignment { flag, value, place }))
    }

    fn flag(&self, name: &str) -> Option<&'static Flag> {
        flags::find(self.component, name).filter(|flag| flag.exists_in(self.version))
    }

    /// The next element verbatim, even when it looks like a flag.
    fn next_value(&mut self, name: &str) -> Result<Text, End> {
        let next = self.words.next().map(|word| word.text);
        next.ok_or_else(|| {
            End::Exits(ExitCause::MissingValue {
                flag: name.to_owned(),
            })
        })
    }

    /// A flag that the table lacks in this version.
    fn unlisted(
        &mut self,
        name: &str,
        attached: Option<Text>,
        word: &Word,
    ) -> Result<Option<Assignment>, End> {
        if name == "help" {
            return Err(End::Exits(ExitCause::Help));
        }
        if flags::may_be_mtls_flag(self.component, self.version, name) {
            self.doubt = Some(format!("whether this version has --{name} is not known"));
            let value = match attached {
                Some(value) => value,
                None => self.next_value(name)?,
            };
            self.presumptions.push(Presumption {
                name: name.to_owned(),
                value,
                place: word.place.clone(),
            });
            return Ok(None);
        }
        let (major, minor, _) = self.version;
        if (major, minor) <= flags::newest_minor(self.component) {
            return Err(End::Exits(ExitCause::UnknownFlag {
                argument: word.text.known.clone(),
            }));
        }
        let doubt = format!(
            "the flags of {} {major}.{minor} are not known, --{name} is new",
            self.component
        );
        if attached.is_none() {
            return Err(End::Unclear(doubt));
        }
        self.doubt = Some(doubt);
        Ok(None)
    }
}

/// Whether an element is no flag whatever its unknown tail says.
fn is_positional(text: &Text) -> bool {
    if text.known.is_empty() || text.known == "-" {
        return text.unread.is_none();
    }
    !text.known.starts_with('-')
}

/// A single dash: controllers define no shorthands, so only `-h` and `-test.…` do not fail.
///
/// pflag skips `-test.…` because `go test` passes such flags (`golangflag.go`).
fn short(text: &Text) -> Result<Option<Assignment>, End> {
    let argument = text.read().map_err(|why| End::Unclear(why.to_owned()))?;
    let shorthands = &argument[1..];
    if shorthands.starts_with("test.") {
        return Ok(None);
    }
    if shorthands.starts_with('h') {
        return Err(End::Exits(ExitCause::Help));
    }
    Err(End::Exits(ExitCause::UnknownShorthand {
        argument: argument.to_owned(),
    }))
}

fn unclear(word: &Word, why: &str) -> End {
    End::Unclear(format!(
        "which flag {:?} sets is not known: {why}",
        word.place.raw
    ))
}
