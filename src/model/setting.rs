//! What a setting is, and how a table of settings becomes all that follows from it.
//!
//! A table is written once, with [`settings!`]: an entry has a setting's name, its type and what people are told of
//! it. From it follow the fields of the table's own type, files' keys, merging, what is passed on to other processes
//! and what these compare, and in the shell the flags, their help, man page, completions and the table of options.
//! The table of a run is that of [`Settings`](crate::model::scenario::Settings).

mod slot;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::marker::PhantomData;

pub use slot::{PathValue, SettingSlot, SettingValue};

use crate::model::seed::Seed;

/// What people are told of a setting, and what becomes of it.
///
/// In its texts what stands between backquotes is typed as it is.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Its name: that of its key in files, and of its flag.
    pub name: &'static str,
    /// The letter by which its flag can be called as well.
    pub letter: Option<char>,
    /// What is written for it.
    pub takes: Takes,
    /// The words that can be written for it, where it takes one of a few; the others of its texts need not repeat them.
    pub words: fn() -> Vec<&'static str>,
    /// What it means, in a sentence without its period.
    pub meaning: &'static str,
    /// What there is to know beyond that, in sentences.
    pub more: &'static str,
    /// What holds where nothing is written, where the value itself does not say it.
    pub usual: &'static str,
    /// Under which heading it is found.
    pub heading: Heading,
    /// Whether it is one of those that everybody needs: the short help has only these.
    pub is_everyday: bool,
    /// Of what it is a part, and so how far it is passed on.
    pub scope: Scope,
    /// Another setting that it needs beside it.
    pub needs: Option<&'static str>,
    /// Another setting that it cannot stand beside.
    pub conflicts: Option<&'static str>,
}

impl Facts {
    /// What most settings have in common; names and meanings are each one's own.
    pub const RARE: Self = Self {
        name: "",
        letter: None,
        takes: Takes::Nothing,
        words: Vec::new,
        meaning: "",
        more: "",
        usual: "",
        heading: Heading::Run,
        is_everyday: false,
        scope: Scope::Model,
        needs: None,
        conflicts: None,
    };
    /// The same of those that everybody needs.
    pub const EVERYDAY: Self = Self { is_everyday: true, ..Self::RARE };

    /// Its meaning, with the words that can be written where these are not in it.
    pub fn sentence(&self) -> String {
        let words = (self.words)();
        let meaning = self.meaning;
        if words.iter().all(|word| meaning.contains(&format!("`{word}`"))) {
            return meaning.to_owned();
        }
        let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        format!("{meaning}: {}", words.join(", "))
    }
}

/// What is written for a setting. What is named here stands for the value in the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing: it is switched on.
    Nothing,
    /// A value, which may begin with a minus, so that a wrong one is told as a wrong value.
    Value(&'static str),
    /// One of several values: it can be given again.
    Item(&'static str),
    /// The path of a file.
    File(&'static str),
    /// The path of a folder.
    Folder(&'static str),
    /// An address that something listens at.
    Address(&'static str),
}

/// Under which heading people find a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heading {
    /// How machines tick and what they do.
    Machines,
    /// The clocks that they keep.
    Clocks,
    /// What becomes of messages.
    Network,
    /// Where a run goes and how it is made.
    Run,
    /// How it is shared among processes.
    Processes,
}

impl Heading {
    /// What help and README have above the heading's settings.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Machines => "The machines",
            Self::Clocks => "Clocks",
            Self::Network => "The network",
            Self::Run => "The run",
            Self::Processes => "Several processes and hosts",
        }
    }
}

/// Of what a setting is a part. It is passed on to all that is part of that, and no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Of this one start of the program: no file has it.
    Start,
    /// Of a series: its runs know nothing of it.
    Series,
    /// Of a run on this machine: its processes know nothing of it.
    Run,
    /// Of a process, which uses its machine that way: those of a run may differ in it.
    Process,
    /// Of the model: it says what happens in a run, so that all its processes need the same, and it makes
    /// another run.
    Model,
}

/// An entry of the table of settings that `H` holds.
#[derive(Debug)]
pub struct Setting<H> {
    /// What people are told of it.
    pub facts: Facts,
    pub(crate) put: fn(&mut H, &OsStr) -> Result<(), String>,
    pub(crate) fill: fn(&mut H, &H),
    pub(crate) clear: fn(&mut H),
    pub(crate) texts: fn(&H) -> Vec<String>,
    pub(crate) default: fn() -> Option<String>,
}

impl<H> Setting<H> {
    /// Reads a value as people write it, and puts it into its place.
    ///
    /// # Errors
    ///
    /// What is allowed.
    pub fn put(&self, holder: &mut H, text: &OsStr) -> Result<(), String> {
        (self.put)(holder, text)
    }

    /// Its values, as people write them; none where it is left open.
    pub fn texts(&self, holder: &H) -> Vec<String> {
        (self.texts)(holder)
    }

    /// What holds where nothing is written, in words; none where nothing does.
    pub fn default(&self) -> Option<String> {
        if self.facts.usual.is_empty() { (self.default)() } else { Some(self.facts.usual.to_owned()) }
    }
}

/// What holds a table's settings.
pub trait Holder: Clone + Default + 'static {
    /// The table, in the order in which people see it.
    fn table() -> &'static [Setting<Self>];

    /// The same; what is left open is taken from `others`.
    #[must_use]
    fn or(mut self, others: &Self) -> Self {
        Self::table().iter().for_each(|setting| (setting.fill)(&mut self, others));
        self
    }

    /// The same with only those settings that are kept.
    #[must_use]
    fn only(&self, keep: impl Fn(&Facts) -> bool) -> Self {
        let mut kept = self.clone();
        let others = Self::table().iter().filter(|setting| !keep(&setting.facts));
        others.for_each(|setting| (setting.clear)(&mut kept));
        kept
    }

    /// The same with only those that are passed on to a part of that kind.
    #[must_use]
    fn passed_to(&self, scope: Scope) -> Self {
        self.only(|facts| facts.scope >= scope)
    }

    /// The first setting that has another value there.
    fn differs_from(&self, others: &Self) -> Option<&'static Setting<Self>> {
        Self::table().iter().find(|setting| setting.texts(self) != setting.texts(others))
    }
}

/// How a text that names settings, as in "setting `loss`", is spelled where people read it: beside what they typed, on a
/// page, or in the logs of a run.
pub type Spelling = fn(&str) -> Cow<'_, str>;

/// The text as it is, for programs without a command line.
pub fn as_named(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}

/// Of these names the one that is spelled most like that word, where one is.
pub fn near<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// From 0, nothing in common, to 1, the same; two letters of six may differ.
    const ALIKE: f64 = 0.6;
    let word = word.to_lowercase().replace('_', "-");
    let rated = names.map(|name| (strsim::normalized_damerau_levenshtein(&word, name), name));
    let best = rated.max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.filter(|(likeness, _)| *likeness >= ALIKE).map(|(_, name)| name)
}

/// Makes a table of settings, and the type that holds them, each of them optional.
///
/// Where files have them, those of the model come first, each with the value that holds where nothing is written,
/// given what is written for the others and the seed that was drawn; these make a type that leaves nothing open.
macro_rules! settings {
    (
        $(#[$doc:meta])* $visible:vis struct $name:ident;
        $(#[$full_doc:meta])* struct $full:ident {
            $($(#[$model_doc:meta])* $model_key:literal $model:ident: $model_type:ty {
                default: $default:expr,
                $($model_facts:tt)*
            })+
        }
        $($(#[$field_doc:meta])* $key:literal $field:ident: $type:ty { $($facts:tt)* })+
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        $visible struct $name {
            $($(#[$model_doc])* pub $model: $model_type,)+
            $($(#[$field_doc])* pub $field: $type,)+
        }

        $crate::model::setting::table! { $name:
            $($model_key $model {
                $crate::model::setting::written_default::<$name, $model_type>($default)
            } { $($model_facts)* })+
            $($key $field { None } { $($facts)* })+
        }

        $(#[$full_doc])*
        #[derive(Clone, Debug)]
        $visible struct $full {
            $($(#[$model_doc])* pub $model: <$model_type as $crate::model::setting::SettingSlot>::Full,)+
        }

        impl $full {
            /// What the settings say; what they leave open takes its default.
            pub fn of(settings: &$name, drawn: $crate::model::seed::Seed) -> Self {
                Self { $($model: $crate::model::setting::full_or(&settings.$model, settings, drawn, $default),)+ }
            }

            /// The settings that say the same.
            pub fn settings(&self) -> $name {
                $name {
                    $($model: $crate::model::setting::SettingSlot::of(self.$model.clone()),)+
                    ..$name::default()
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap;
                use $crate::model::setting::SettingSlot;

                let mut map = serializer.serialize_map(None)?;
                $(if !self.$model.is_open() {
                    map.serialize_entry($model_key, &self.$model)?;
                })+
                $(if !self.$field.is_open() {
                    map.serialize_entry($key, &self.$field)?;
                })+
                map.end()
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Keys;

                impl<'de> serde::de::Visitor<'de> for Keys {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("settings")
                    }
                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        let mut settings = $name::default();
                        while let Some($crate::model::setting::SettingName { name: key, .. }) = map.next_key::<$crate::model::setting::SettingName<$name>>()? {
                            match key {
                                $($model_key => settings.$model = map.next_value()?,)+
                                $($key => settings.$field = map.next_value()?,)+
                                _ => {}
                            }
                        }
                        Ok(settings)
                    }
                }

                deserializer.deserialize_map(Keys)
            }
        }
    };
    (
        $(#[$doc:meta])* $visible:vis struct $name:ident;
        $($(#[$field_doc:meta])* $key:literal $field:ident: $type:ty { $($facts:tt)* })+
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        $visible struct $name {
            $($(#[$field_doc])* pub(super) $field: $type,)+
        }

        $crate::model::setting::table! { $name: $($key $field { None } { $($facts)* })+ }
    };
}
pub(crate) use settings;

/// The table alone.
macro_rules! table {
    ($name:ident: $($key:literal $field:ident { $default:expr } { $($facts:tt)* })+) => {
        impl $crate::model::setting::Holder for $name {
            fn table() -> &'static [$crate::model::setting::Setting<Self>] {
                use $crate::model::setting::{Facts, Setting, SettingSlot, SettingValue};

                static TABLE: &[Setting<$name>] = &[$(Setting {
                    facts: Facts { name: $key, $($facts)* },
                    put: |holder, text| SettingValue::read(text).map(|item| holder.$field.put(item)),
                    fill: |holder, others| {
                        if holder.$field.is_open() {
                            holder.$field.clone_from(&others.$field);
                        }
                    },
                    clear: |holder| holder.$field = Default::default(),
                    texts: |holder| holder.$field.texts(),
                    default: || $default,
                }),+];
                TABLE
            }
        }
    };
}
pub(crate) use table;

/// What a slot holds, or else its default.
pub(crate) fn full_or<H, S: SettingSlot>(
    slot: &S,
    settings: &H,
    drawn: Seed,
    default: fn(&H, Seed) -> S::Full,
) -> S::Full {
    slot.full(|| default(settings, drawn))
}

/// How the default of a slot is written, where all settings are left open.
pub(crate) fn written_default<H: Default, S: SettingSlot>(
    default: fn(&H, Seed) -> S::Full,
) -> Option<String> {
    S::of(default(&H::default(), Seed(0))).texts().pop()
}

/// A key of a file, which has to be the name of a setting that `H` holds.
#[derive(Debug)]
pub(crate) struct SettingName<H> {
    pub(crate) name: &'static str,
    holder: PhantomData<H>,
}

impl<'de, H: Holder> serde::Deserialize<'de> for SettingName<H> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = <Cow<'de, str>>::deserialize(deserializer)?;
        let names = || H::table().iter().map(|setting| setting.facts.name);
        if let Some(name) = names().find(|name| *name == key) {
            return Ok(Self { name, holder: PhantomData });
        }
        let all = names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let message = match near(&key, names()) {
            Some(near) => format!("unknown field `{key}`: did you mean `{near}`? There are: {all}"),
            None => format!("unknown field `{key}`: there are {all}"),
        };
        Err(serde::de::Error::custom(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_near_what_it_may_be_a_slip_of() {
        let names = ["vms", "duration", "virtual-time", "loss", "latency"];
        let near = |word| near(word, names.into_iter());
        assert_eq!(near("vmz"), Some("vms"));
        assert_eq!(near("Duraton"), Some("duration"));
        assert_eq!(near("virtual_time"), Some("virtual-time"));
        assert_eq!(near("colour"), None);
    }
}
