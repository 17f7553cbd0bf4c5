//! Values that people write for settings, and where such a value stands: an [`Option`], or a [`Vec`] of what can be
//! given again.

use std::ffi::OsStr;
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

/// A value that people write for a setting.
pub trait SettingValue: Sized + Clone {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// What is allowed.
    fn read(text: &OsStr) -> Result<Self, String>;

    /// How it is written.
    fn written(&self) -> String;
}

impl<T: FromStr<Err: Display> + Display + Clone> SettingValue for T {
    fn read(text: &OsStr) -> Result<Self, String> {
        let text = text.to_str().ok_or("must be text in UTF-8")?;
        text.parse().map_err(|error: T::Err| error.to_string())
    }

    fn written(&self) -> String {
        self.to_string()
    }
}

/// The path of a file or a folder, which need not be text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathValue(pub PathBuf);

impl SettingValue for PathValue {
    fn read(text: &OsStr) -> Result<Self, String> {
        if text.is_empty() { Err("must name a file or a folder".into()) } else { Ok(Self(text.into())) }
    }

    fn written(&self) -> String {
        self.0.display().to_string()
    }
}

/// Where a setting's value stands, or several values: an [`Option`] or a [`Vec`].
pub trait SettingSlot: Clone + Default {
    /// A value as one flag gives it; of a list one of its items.
    type Item: SettingValue;
    /// What stands here once nothing is left open.
    type Full: Clone;

    /// Puts a value here, beside those that are here or in the place of one.
    fn put(&mut self, item: Self::Item);
    /// Whether nothing is here.
    fn is_open(&self) -> bool;
    /// What is here, or else something else.
    fn full(&self, otherwise: impl FnOnce() -> Self::Full) -> Self::Full;
    /// The slot with that in it.
    fn of(full: Self::Full) -> Self;
    /// What is here, as it is written.
    fn texts(&self) -> Vec<String>;
}

impl<T: SettingValue> SettingSlot for Option<T> {
    type Item = T;
    type Full = T;

    fn put(&mut self, item: T) {
        *self = Some(item);
    }
    fn is_open(&self) -> bool {
        self.is_none()
    }
    fn full(&self, otherwise: impl FnOnce() -> T) -> T {
        self.clone().unwrap_or_else(otherwise)
    }
    fn of(full: T) -> Self {
        Some(full)
    }
    fn texts(&self) -> Vec<String> {
        self.iter().map(SettingValue::written).collect()
    }
}

impl<T: SettingValue> SettingSlot for Vec<T> {
    type Item = T;
    type Full = Self;

    fn put(&mut self, item: T) {
        self.push(item);
    }
    fn is_open(&self) -> bool {
        self.is_empty()
    }
    fn full(&self, otherwise: impl FnOnce() -> Self) -> Self {
        if self.is_empty() { otherwise() } else { self.clone() }
    }
    fn of(full: Self) -> Self {
        full
    }
    fn texts(&self) -> Vec<String> {
        self.iter().map(SettingValue::written).collect()
    }
}
