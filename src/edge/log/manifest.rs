//! The manifest `run.toml`: every setting of a run, what was drawn from them, and what became of it.
//!
//! Its settings stand at the top level under the names of the flags, so that the manifest is itself
//! a scenario file.

pub(super) mod text;

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use self::text::ManifestPart;
use super::{FileEntry, MANIFEST, Schema, Traffic};
use crate::model::experiment::{Outline, Shard};
use crate::model::id::VmId;
use crate::model::scenario::{Scenario, Settings};
use crate::model::time::Rate;

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is under way; or it was killed, and nobody could write anything else.
    Running,
    /// It ran to its end, and every log is whole.
    Complete,
    /// It was ended early, in order: every log is whole up to there.
    Interrupted,
    /// An actor, a process or a log failed; `failure` tells which and why.
    Failed,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        })
    }
}

/// All that is written to `run.toml`, in its order: a run can be made again from it, and its files verified.
#[derive(Clone, Debug, Serialize)]
pub struct Manifest {
    /// What became of the run.
    pub status: Status,
    /// All settings with the drawn seed, in the form of a scenario file, so that the manifest is one.
    #[serde(flatten)]
    pub settings: Settings,
    /// Who ran, when, and how far it came.
    pub run: RunSection,
    /// What was drawn for each machine.
    pub drawn: Drawn,
    /// The conditions, where it is a sweep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep: Option<SweepSection>,
    /// The files that it left, the manifest not counted.
    pub files: Vec<FileEntry>,
}

/// The section `[sweep]`: the conditions of a sweep, and which share of its runs is here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepSection {
    /// Which share of the runs it is, where not all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// What the conditions say.
    #[serde(flatten)]
    pub outline: Outline,
}

/// The section `[run]`: what is no setting. What is not yet known while the run goes on is left out.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RunSection {
    /// The run's name among others.
    pub id: String,
    /// The version of clocklab.
    pub version: &'static str,
    /// The schema of its CSV files.
    pub schema: Schema,
    /// How time passed: `live`.
    pub time: &'static str,
    /// When it was prepared, RFC 3339 in UTC.
    pub prepared: String,
    /// When it started, RFC 3339 in UTC. It is not there before that is known for certain, at the run's end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// When it ended, in seconds since its start: at its duration, unless it was cut short or ran late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_s: Option<f64>,
    /// Events of this process's machines; left out until they are counted at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<u64>,
    /// The median lateness of its ticks, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lateness_p50_ms: Option<f64>,
    /// The lateness that 99 of 100 ticks did not exceed, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lateness_p99_ms: Option<f64>,
    /// The largest lateness of a tick, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lateness_max_ms: Option<f64>,
    /// Which node of a distributed run wrote this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<u32>,
    /// The number of the run's nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<u32>,
    /// What broke, where `status` is `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// What went wrong in other processes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What has passed over the links to other processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub links: Option<Traffic>,
}

/// What the scenario draws for each machine, by number; drawn anew whenever it is written.
#[derive(Clone, Debug, Default)]
pub struct Drawn(Option<Scenario>);

impl Drawn {
    /// What that scenario draws for its machines.
    pub fn of(scenario: &Scenario) -> Self {
        Self(Some(scenario.clone()))
    }
}

impl Serialize for Drawn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// A number as people write it: a whole one where it is one.
        struct Written(Rate);

        impl Serialize for Written {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self.0.whole() {
                    Some(rate) => serializer.serialize_u32(rate),
                    None => serializer.serialize_f64(self.0.as_f64()),
                }
            }
        }

        /// One value for each machine.
        struct Each<'a, F>(Option<&'a Scenario>, F);

        impl<T: Serialize, F: Fn(&Scenario, VmId) -> T> Serialize for Each<'_, F> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let Self(scenario, value) = self;
                serializer.collect_seq(
                    scenario.iter().flat_map(|scenario| scenario.ids().map(|vm| value(scenario, vm))),
                )
            }
        }

        let scenario = self.0.as_ref();
        let mut drawn = serializer.serialize_struct("Drawn", 3)?;
        // Ticks a second.
        drawn.serialize_field("rates", &Each(scenario, |s: &Scenario, vm| Written(s.schedule(vm).rate())))?;
        // When the first tick is due.
        drawn
            .serialize_field("phases_ns", &Each(scenario, |s: &Scenario, vm| s.schedule(vm).phase().get()))?;
        // How far the physical clock is ahead.
        drawn.serialize_field("skews_ns", &Each(scenario, Scenario::skew))?;
        drawn.end()
    }
}

/// A run that was not brought to its end, as its manifest tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Unfinished {
    /// The run's id, under which it is to go on.
    pub id: String,
    /// The settings with which it began: it goes on with these and no others.
    pub settings: Settings,
    /// Which node of it wrote there, and of how many, where it was a distributed one.
    pub place: Option<(u32, u32)>,
}

/// The manifest's own keys, which no setting has. The first tells a manifest from another scenario file.
const OWN_KEYS: [&str; 5] = ["status", "run", "drawn", "sweep", "files"];

/// Why a manifest or a scenario file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The manifest that was to be written.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The manifest that is there and cannot be read.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// It tells of no run that could be gone on with.
    #[error("{}: this run is complete, or has no id: there is nothing to resume", path.display())]
    Finished {
        /// The manifest that says so.
        path: PathBuf,
    },
    /// Its logs are of a schema that is not written any more.
    #[error(
        "{}: an earlier clocklab began this run, and its logs are of the {schema} schema: go on with that version, for \
         this one writes another and does not mix them; nothing was changed",
        path.display()
    )]
    Schema {
        /// The manifest that names the schema.
        path: PathBuf,
        /// The schema in which that run's logs were begun.
        schema: Schema,
    },
    /// A setting of one of its conditions is wrong.
    #[error("{}: condition {condition}: {}", path.display(), shortened(source))]
    Condition {
        /// The file with the conditions.
        path: PathBuf,
        /// The condition's name.
        condition: String,
        /// What is wrong.
        source: Box<toml::de::Error>,
    },
    /// It is no TOML, or a setting in it is wrong.
    #[error("{}: {}", path.display(), shortened(source))]
    Content {
        /// The manifest that is wrong.
        path: PathBuf,
        /// What is wrong, and where.
        source: Box<toml::de::Error>,
    },
}

impl Manifest {
    /// Writes the manifest into a run's folder, whole or not at all: a reader sees the old or the new one.
    ///
    /// # Errors
    ///
    /// Where it cannot be written; then the old one still stands, and says that the run has failed.
    pub fn write(&self, folder: &Path) -> Result<(), ManifestError> {
        let path = folder.join(MANIFEST);
        let beside = folder.join(format!(".{MANIFEST}.{}", self.run.id));
        let written = self.write_new(&beside).and_then(|()| fs::rename(&beside, &path));
        if written.is_err() && self.status != Status::Running {
            // What the caller is told is why it came to this.
            let _ = mark_failed(&path, &self.run.id);
        }
        written.map_err(|source| ManifestError::Write { path, source })
    }

    /// Keeps room on the disk for what the run leaves at its end, since its logs may fill it: for this manifest, an
    /// entry for each file in it, and a row for each machine or run in the summary. Where there is none now,
    /// there will be none then.
    pub fn keep_room(&self, folder: &Path, rows: u64) -> Room {
        /// About what an entry and a row take.
        const EACH: u64 = 600;
        const MOST: u64 = 16 << 20;
        let text = toml::to_string(self).map_or(0, |text| text.len() as u64);
        let bytes = (text + 4096 + rows.saturating_mul(EACH)).min(MOST);
        Room::of(&folder.join(format!(".{MANIFEST}.{}.room", self.run.id)), bytes)
    }

    /// Writes it to a new file, and leaves none where that fails.
    fn write_new(&self, path: &Path) -> io::Result<()> {
        let text = toml::to_string(self).map_err(io::Error::other)?;
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(text.as_bytes()).inspect_err(|_| {
            let _ = fs::remove_file(path);
        })
    }
}

/// Room on a disk that nothing else takes: a file without a name, which goes with its process.
#[derive(Debug, Default)]
pub struct Room {
    file: Option<File>,
}

impl Room {
    fn of(path: &Path, bytes: u64) -> Self {
        let fill = |mut file: File| {
            fs::remove_file(path)?;
            io::copy(&mut io::repeat(0).take(bytes), &mut file)?;
            Ok::<_, io::Error>(file)
        };
        let made = OpenOptions::new().write(true).create_new(true).open(path);
        Self { file: made.and_then(fill).ok() }
    }

    /// Gives the bytes back to the disk, for the manifest that is about to be written.
    pub fn release(&mut self) {
        self.file = None;
    }
}

/// Puts `failed` in the place of `running` where no new manifest can be written: no byte more is needed for that.
fn mark_failed(path: &Path, id: &str) -> io::Result<()> {
    const RUNNING: &[u8] = b"status = \"running\"\n";
    const FAILED: &[u8] = b"status = \"failed\" \n";
    if read_run_id(path).as_deref() != Some(id) {
        return Ok(());
    }
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut beginning = [0; RUNNING.len()];
    file.read_exact(&mut beginning)?;
    if beginning == RUNNING {
        file.rewind()?;
        file.write_all(FAILED)?;
    }
    Ok(())
}

/// Reads the settings of a scenario file, which may be a run's manifest.
///
/// # Errors
///
/// Where the file cannot be read, or has a key or a value that is no setting's.
pub fn read_settings(path: &Path) -> Result<Settings, ManifestError> {
    let text = text::read_scenario(path).map_err(unreadable(path))?;
    let (table, _) = tables(path, &text)?;
    table.try_into().map_err(|source| wrong(path, source))
}

/// A manifest as it is read after its run.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedManifest {
    /// What became of the run.
    pub status: Status,
    /// The run's settings, as far as its version of clocklab wrote them.
    pub settings: Settings,
    /// The schema of its CSV files.
    pub schema: Schema,
    /// The run's name among others.
    pub id: Option<String>,
    /// Which node of a distributed run wrote it, and of how many.
    pub place: Option<(u32, u32)>,
    /// When it started, where that is known.
    pub started: Option<Timestamp>,
    /// The conditions, where it is a sweep's.
    pub sweep: Option<SweepSection>,
    /// The files that it left.
    pub files: Vec<FileEntry>,
}

/// The manifest's own part, as far as readers need it. What was drawn follows from the settings.
#[derive(Deserialize)]
struct Own {
    status: Status,
    #[serde(default)]
    run: OwnRun,
    sweep: Option<SweepSection>,
    #[serde(default)]
    files: Vec<FileEntry>,
}

#[derive(Deserialize)]
#[serde(default)]
struct OwnRun {
    id: Option<String>,
    node: Option<u32>,
    nodes: Option<u32>,
    /// Of a run under way, earlier versions wrote here when it was prepared.
    started: String,
    prepared: Option<String>,
    elapsed_s: Option<f64>,
    schema: Schema,
}

impl Default for OwnRun {
    /// Before there was a second schema, manifests named none.
    fn default() -> Self {
        Self {
            id: None,
            node: None,
            nodes: None,
            started: String::new(),
            prepared: None,
            elapsed_s: None,
            schema: Schema::First,
        }
    }
}

/// Reads a run's manifest.
///
/// # Errors
///
/// Where the file cannot be read, or is no manifest.
pub fn read_manifest(path: &Path) -> Result<SavedManifest, ManifestError> {
    let (settings, own) = tables(path, &read_text(path)?)?;
    let settings = settings.try_into().map_err(|source| wrong(path, source))?;
    let Own { status, run, sweep, files } = own.try_into().map_err(|source| wrong(path, source))?;
    let OwnRun { id, node, nodes, started, prepared, elapsed_s, schema } = run;
    let is_known = prepared.is_some() || elapsed_s.is_some();
    let started = started.parse().ok().filter(|_| is_known);
    Ok(SavedManifest { status, settings, schema, id, place: node.zip(nodes), started, sweep, files })
}

/// A scenario file's settings, and where it is a manifest, what it has beside them.
fn tables(path: &Path, text: &str) -> Result<(toml::Table, toml::Table), ManifestError> {
    let mut settings: toml::Table = text.parse().map_err(|source| wrong(path, source))?;
    let mut own = toml::Table::new();
    if settings.contains_key(OWN_KEYS[0]) {
        own.extend(OWN_KEYS.into_iter().filter_map(|key| settings.remove_entry(key)));
    }
    Ok((settings, own))
}

fn read_text(path: &Path) -> Result<String, ManifestError> {
    text::read(path, ManifestPart::All).map_err(unreadable(path))
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> ManifestError {
    move |source| ManifestError::Read { path: path.to_owned(), source }
}

/// What is wrong in it, with the line; one may be as long as there are machines.
fn shortened(error: &toml::de::Error) -> String {
    let lines = error.to_string();
    let lines = lines.trim_end().lines().map(|line| line.chars().take(400).collect::<String>());
    lines.collect::<Vec<_>>().join("\n")
}

fn wrong(path: &Path, source: toml::de::Error) -> ManifestError {
    ManifestError::Content { path: path.to_owned(), source: Box::new(source) }
}

/// Reads what is to be known of a run in order to go on with it.
///
/// # Errors
///
/// Where the folder has no manifest of a run, or that run is complete.
pub fn read_unfinished(folder: &Path) -> Result<Unfinished, ManifestError> {
    let path = folder.join(MANIFEST);
    let settings = read_settings(&path)?;
    let text = read_text(&path)?;
    let table: toml::Table = text.parse().unwrap_or_default();
    let SavedManifest { schema, .. } = read_manifest(&path)?;
    if schema != Schema::Second {
        return Err(ManifestError::Schema { path, schema });
    }
    let is_complete = table.get("status").and_then(toml::Value::as_str) == Some("complete");
    let number = |key| u32::try_from(table.get("run")?.get(key)?.as_integer()?).ok();
    let place = number("node").zip(number("nodes"));
    match read_run_id(&path) {
        Some(id) if !is_complete => Ok(Unfinished { id, settings, place }),
        _ => Err(ManifestError::Finished { path }),
    }
}

/// The id of the run whose manifest this is, where it names one that can name a folder.
pub(super) fn read_run_id(path: &Path) -> Option<String> {
    let table: toml::Table = text::read(path, ManifestPart::Head).ok()?.parse().ok()?;
    let id = table.get("run")?.get("id")?.as_str()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (!id.is_empty() && id.len() <= 64 && id.chars().all(plain)).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::seed::Seed;

    fn manifest(settings: &Settings) -> Manifest {
        let scenario = Scenario::new(settings, Seed(u64::MAX)).unwrap();
        Manifest {
            status: Status::Running,
            settings: scenario.settings(),
            run: RunSection { id: "20260101T000000Z-1f".into(), time: "live", ..RunSection::default() },
            drawn: Drawn::of(&scenario),
            sweep: None,
            files: vec![FileEntry { name: "vm_0_1.csv".into(), rows: 1, bytes: 2, crc32c: "0".into() }],
        }
    }

    #[test]
    fn a_manifest_is_a_scenario_file_of_the_same_run() {
        let folder = tempfile::tempdir().unwrap();
        let asked = Settings {
            partition: vec!["1s-2s:0/1".parse().unwrap()],
            loss: "0.25".parse().ok(),
            latency: "exp:5ms".parse().ok(),
            rates: "6,2,1".parse().ok(),
            clocks: "hlc".parse().ok(),
            ..Settings::default()
        };
        let manifest = manifest(&asked);
        manifest.write(folder.path()).unwrap();
        let path = folder.path().join(MANIFEST);
        assert_eq!(read_settings(&path).unwrap(), manifest.settings);
        assert_eq!(read_run_id(&path).as_deref(), Some("20260101T000000Z-1f"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_manifest_that_cannot_be_written_again_says_that_its_run_has_failed() {
        let folder = tempfile::tempdir().unwrap();
        let mut manifest = manifest(&Settings::default());
        manifest.write(folder.path()).unwrap();
        // Something stands where the new one would be written.
        fs::create_dir(folder.path().join(".run.toml.20260101T000000Z-1f")).unwrap();
        manifest.status = Status::Complete;
        assert!(matches!(manifest.write(folder.path()), Err(ManifestError::Write { .. })));
        let saved = read_manifest(&folder.path().join(MANIFEST)).unwrap();
        assert_eq!((saved.status, saved.settings), (Status::Failed, manifest.settings));
    }

    #[test]
    fn room_is_taken_on_the_disk_and_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut room = manifest(&Settings::default()).keep_room(folder.path(), 3);
        let bytes = room.file.as_ref().unwrap().metadata().unwrap().len();
        assert!(bytes > 4096 && fs::read_dir(folder.path()).unwrap().count() == 0);
        room.release();
        assert!(room.file.is_none());
    }

    #[test]
    fn people_may_write_numbers_or_texts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scenario.toml");
        let text = "vms = 4\nduration = 1.5\nrates = [6, 2, 1, 1]\nloss = 0.5\nfifo = false\n\
                    clocks = [\"hlc\"]\nseed = \"18446744073709551615\"\n";
        fs::write(&path, text).unwrap();
        let settings = read_settings(&path).unwrap();
        assert_eq!(settings.vms.map(|vms| vms.get()), Some(4));
        assert_eq!(settings.duration.unwrap().to_string(), "1500ms");
        assert_eq!(settings.rates.unwrap().to_string(), "6,2,1,1");
        assert_eq!(settings.clocks.unwrap().to_string(), "lamport,hlc");
        assert_eq!(settings.fifo.unwrap().to_string(), "off");
        assert_eq!(settings.seed.unwrap().0, u64::MAX);
    }

    #[test]
    fn wrong_files_are_refused_with_file_key_and_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scenario.toml");
        let check = |content: &str, parts: &[&str]| {
            fs::write(&path, content).unwrap();
            let error = read_settings(&path).unwrap_err().to_string();
            assert!(error.starts_with(&path.display().to_string()), "{error}");
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        };
        check("vmz = 3", &["unknown field `vmz`: did you mean `vms`?", "`partition`"]);
        check("[run]\nvms = 5", &["unknown field `run`"]);
        check("virtual_time = true", &["did you mean `virtual-time`?"]);
        check("colour = 5", &["unknown field `colour`: there are `virtual-time`, `vms`"]);
        check("vms = 0", &["`0`: must be a whole number from 1 to 10000000", "vms"]);
        check("phase = \"maybe\"", &["`maybe`: must be one of: random, aligned", "phase"]);
        check("vms = ", &["line 1"]);
        let error = read_settings(&folder.path().join("none.toml")).unwrap_err().to_string();
        assert!(error.starts_with("cannot read "), "{error}");
    }

    #[test]
    fn an_id_that_is_no_plain_name_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(MANIFEST);
        fs::write(&path, "[run]\nid = \"../../etc\"\n").unwrap();
        assert_eq!(read_run_id(&path), None);
    }
}
