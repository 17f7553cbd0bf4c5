//! Whether a folder holds a sweep that was cut short, and is the same as one that is asked for.

use std::path::Path;

use crate::edge::log::{MANIFEST, SavedManifest, Status, SweepSection, read_manifest};
use crate::model::scenario::Settings;
use crate::model::setting::{Holder, Scope};

/// The manifest of the sweep in the folder, where it is the one of these settings and conditions and has runs to make.
///
/// # Errors
///
/// What is there instead, in words.
pub(super) fn find(
    folder: &Path,
    shared: &Settings,
    section: &SweepSection,
) -> Result<SavedManifest, String> {
    let path = folder.join(MANIFEST);
    if !path.exists() {
        return Err(format!("there is no {MANIFEST}"));
    }
    let saved = read_manifest(&path).map_err(|error| error.to_string())?;
    let Some(found) = &saved.sweep else { return Err("a run is there, and no sweep".into()) };
    if saved.status == Status::Complete {
        return Err("the sweep that is there is complete".into());
    }
    if found.shard != section.shard {
        let name = |section: &SweepSection| {
            section.shard.map_or_else(|| "all runs".to_owned(), |shard| format!("shard {shard}"))
        };
        return Err(format!("{} of a sweep is there, and asked for is {}", name(found), name(section)));
    }
    if found.outline != section.outline {
        return Err("the sweep that is there has other conditions".into());
    }
    // Where no seed is asked for, it is that of the sweep.
    let asked = Settings { seed: shared.seed.or(saved.settings.seed), ..shared.clone() };
    match difference(&saved.settings, &asked) {
        None => Ok(saved),
        Some((name, theirs, ours)) => {
            Err(format!("the sweep that is there has {theirs} for '{name}', and asked for is {ours}"))
        }
    }
}

/// The first setting in which two sweeps differ, so that their runs do, with the values of both.
pub(super) fn difference(one: &Settings, other: &Settings) -> Option<(&'static str, String, String)> {
    let of_model =
        |settings: &Settings| settings.only(|facts| facts.scope >= Scope::Model || facts.name == "runs");
    let (one, other) = (of_model(one), of_model(other));
    let setting = one.differs_from(&other)?;
    let value = |settings: &Settings| match setting.texts(settings).join(" ").as_str() {
        "" => "its default".to_owned(),
        text => text.to_owned(),
    };
    Some((setting.facts.name, value(&one), value(&other)))
}
