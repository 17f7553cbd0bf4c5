//! How the command line spells what the rest of the program says of settings.
//!
//! Errors and notices name a setting as a file would: "setting `loss`" or "setting `log = none`". They pass through
//! other processes, manifests and logs as they are; only here, where people read them beside what they typed, do they
//! become `--loss` and `--log none`.

use std::borrow::Cow;

/// What stands before a setting's name, and behind it.
const BEFORE: &str = "setting `";
const BEHIND: char = '`';
/// What stands before a setting whose value is wrong, as clap says it of the values that it refuses itself.
const OF_A_VALUE: &str = "for ";

/// The text with flags where it names settings.
pub(super) fn with_flags(text: &str) -> Cow<'_, str> {
    if !text.contains(BEFORE) {
        return Cow::Borrowed(text);
    }
    let mut spelled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, flag, behind)) = next(rest) {
        spelled.push_str(plain);
        let is_wrong = plain.ends_with(OF_A_VALUE) && behind.starts_with(':');
        let quote = if is_wrong { "'" } else { "" };
        spelled.extend([quote, "--", &flag.replacen(" = ", " ", 1), quote]);
        rest = behind;
    }
    spelled.push_str(rest);
    Cow::Owned(spelled)
}

/// What stands before the next setting that is named, the setting with its value, and what stands behind it.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let (mut from, whole) = (0, text);
    loop {
        let at = from + whole[from..].find(BEFORE)?;
        let start = at + BEFORE.len();
        let length = whole[start..].find(BEHIND)?;
        let setting = &whole[start..start + length];
        let name = setting.split(" = ").next().unwrap_or(setting);
        if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') {
            return Some((&whole[..at], setting, &whole[start + length + 1..]));
        }
        from = start;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::cli::flags::Flags;
    use crate::model::registry::Registry;

    #[test]
    fn settings_become_flags() {
        let check = |text: &str, spelled: &str| assert_eq!(with_flags(text), spelled);
        check("nothing to say", "nothing to say");
        check("give setting `nodes` and setting `node`", "give --nodes and --node");
        check("use setting `log = none`: it is short", "use --log none: it is short");
        check("invalid value '2' for setting `loss`: must be", "invalid value '2' for '--loss': must be");
        check("a process, for setting `processes`", "a process, for --processes");
        check("setting `No Name` and setting `fifo`", "setting `No Name` and --fifo");
        check("setting `fifo", "setting `fifo");
    }

    /// What names a setting names one that there is: of a run, or of a command.
    #[test]
    fn every_setting_that_is_named_is_a_flag() {
        let command = Flags::command(&Registry::default());
        let commands = || std::iter::once(&command).chain(command.get_subcommands());
        let is_flag = |name: &str| {
            commands().any(|command| command.get_arguments().any(|flag| flag.get_long() == Some(name)))
        };
        let mut named = 0;
        for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
            if path.ends_with("cli/spelling.rs") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let mut rest = text.as_str();
            while let Some((_, setting, behind)) = next(rest) {
                let name = setting.split(" = ").next().unwrap();
                assert!(is_flag(name), "{} names {name}", path.display());
                named += 1;
                rest = behind;
            }
        }
        assert!(named > 20, "{named}");
    }

    fn sources(folder: &Path) -> Vec<PathBuf> {
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let of = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
        paths.flat_map(of).filter(|path| path.extension().is_some_and(|end| end == "rs")).collect()
    }
}
