//! The measures of runs as they are printed: tables, CSV or JSON.

use std::fmt::{self, Write};

use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::source::Source;
use crate::after::stats::{CLOCK_MEASURES, Flow, MEASURES, OfClock, Stats, TOTALS};
use crate::model::id::VmId;
use crate::model::text::words;

/// The most machines that have a row each in a table.
const MOST_ROWS: usize = 100;
/// How many of more machines have one.
const FIRST_ROWS: usize = 20;

/// The flags of `stats`.
#[derive(Debug, Args)]
#[command(after_long_help = definitions())]
pub(super) struct StatsFlags {
    #[command(flatten)]
    pub(super) source: Source,
    /// How the measures are printed: table, csv, json
    #[arg(long, value_name = "FORMAT", default_value_t = Format::Table)]
    pub(super) format: Format,
}

words! {
    /// How measures are printed.
    pub(super) enum Format {
        Table = "table",
        /// A row a run and machine, and one of the whole run.
        Csv = "csv",
        /// Every measure with every run and machine, for programs.
        Json = "json",
    }
}

/// What each measure means, for the help.
fn definitions() -> String {
    let mut text = "Of each machine:\n".to_owned();
    let width = MEASURES.iter().map(|measure| measure.name.len()).max().unwrap_or(0);
    for measure in MEASURES {
        let _ = writeln!(text, "  {:width$}  {}", measure.name, measure.meaning);
    }
    text += "\nOf the whole run:\n";
    for total in TOTALS {
        let _ = writeln!(text, "  {:width$}  {}", total.name, total.meaning);
    }
    text += "\nOf each clock beside Lamport's, behind its name:\n";
    for measure in CLOCK_MEASURES {
        let _ = writeln!(text, "  {:width$}  {}", format!("_{}", measure.name), measure.meaning);
    }
    let _ = write!(
        text,
        "\nThe drift over time is each machine's Lamport clock minus the largest of all at the same time.\n\
         Of several runs, tables show mean and standard deviation.\n\nTheory holds {}.",
        Flow::HOLDS
    );
    text
}

/// The measures of one run or several, each with its name.
pub(super) struct Printed {
    pub(super) format: Format,
    pub(super) runs: Vec<(String, Stats)>,
}

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.format {
            Format::Table => self.write_tables(f),
            Format::Csv => self.write_csv(f),
            Format::Json => {
                writeln!(f, "{}", serde_json::to_string_pretty(self).map_err(|_error| fmt::Error)?)
            }
        }
    }
}

/// Measures that stand in one table, and what their names begin with.
const GROUPS: [(&str, &[&str]); 6] = [
    ("events", &["rate", "down", "events"]),
    ("messages", &["messages", "arrivals"]),
    ("Lamport clocks", &["clock"]),
    ("jumps", &["jump", "gap"]),
    ("queues", &["queue"]),
    ("latency of messages and lateness of events", &["latency", "late"]),
];

impl Printed {
    fn write_tables(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.runs.iter().map(|(name, _)| name.as_str()).collect();
        match names.as_slice() {
            [name] => writeln!(f, "{name}")?,
            names => writeln!(
                f,
                "{} runs, mean and standard deviation: {} to {}",
                names.len(),
                names[0],
                names[names.len() - 1]
            )?,
        }
        self.missing().try_for_each(|line| writeln!(f, "{line}"))?;
        let machines = self.machines();
        let shown = if machines.len() > MOST_ROWS { &machines[..FIRST_ROWS] } else { &machines };
        for (title, prefixes) in GROUPS {
            let is_in = |name: &str| prefixes.contains(&name.split('_').next().unwrap_or(name));
            let columns: Vec<usize> =
                (0..MEASURES.len()).filter(|index| is_in(MEASURES[*index].name)).collect();
            self.write_group(f, title, shown, &columns)?;
        }
        if shown.len() < machines.len() {
            writeln!(f, "\nand {} more machines; --format csv has them all", machines.len() - shown.len())?;
        }
        if let [(_, stats)] = self.runs.as_slice()
            && machines.len() <= MOST_ROWS
        {
            write_drift(f, stats)?;
        }
        writeln!(f, "\nthe whole run")?;
        for (index, total) in TOTALS.iter().enumerate() {
            let values: Vec<f64> = self.runs.iter().filter_map(|(_, stats)| stats.totals[index]).collect();
            if !values.is_empty() {
                writeln!(f, "  {:>21}  {:<12}  {}", total.name, spread(&values), total.meaning)?;
            }
        }
        for OfClock { name, meaning, .. } in self.of_clocks() {
            let values: Vec<f64> = self.runs.iter().filter_map(|(_, stats)| stats.total(name)).collect();
            if !values.is_empty() {
                writeln!(f, "  {name:>21}  {:<12}  {meaning}", spread(&values))?;
            }
        }
        self.write_warnings(f)
    }

    /// Columns of which no machine has a value are left out.
    fn write_group(
        &self,
        f: &mut fmt::Formatter<'_>,
        title: &str,
        shown: &[VmId],
        columns: &[usize],
    ) -> fmt::Result {
        let rows: Vec<(String, Vec<String>)> = shown
            .iter()
            .map(|vm| {
                (self.name(*vm), columns.iter().map(|column| spread(&self.values(*vm, *column))).collect())
            })
            .collect();
        let used: Vec<usize> =
            (0..columns.len()).filter(|at| rows.iter().any(|(_, cells)| !cells[*at].is_empty())).collect();
        if used.is_empty() {
            return Ok(());
        }
        let heads = used.iter().map(|at| MEASURES[columns[*at]].name.replace('_', "\n"));
        let mut table = table(std::iter::once("vm".to_owned()).chain(heads).collect());
        for (vm, cells) in rows {
            table.add_row(std::iter::once(vm).chain(used.iter().map(|at| cells[*at].clone())));
        }
        writeln!(f, "\n{title}\n{table}")
    }

    fn write_warnings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.runs.iter().any(|(_, stats)| !stats.warnings.is_empty()) {
            writeln!(f)?;
        }
        self.warnings().try_for_each(|warning| writeln!(f, "{warning}"))
    }

    /// What is not here of the runs, a line each.
    pub(super) fn missing(&self) -> impl Iterator<Item = String> + '_ {
        self.runs.iter().flat_map(|(name, stats)| {
            let name = if self.runs.len() > 1 { format!("{name}: ") } else { String::new() };
            stats.missing.iter().map(move |line| format!("{name}a part: {line}"))
        })
    }

    /// What a person should know, a line each.
    pub(super) fn warnings(&self) -> impl Iterator<Item = String> + '_ {
        self.runs.iter().flat_map(|(name, stats)| {
            let name = if self.runs.len() > 1 { format!("{name}: ") } else { String::new() };
            stats.warnings.iter().map(move |warning| format!("warning: {name}{warning}"))
        })
    }

    fn write_csv(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let of_clocks: Vec<&str> = self.of_clocks().map(|clock| clock.name.as_str()).collect();
        let totals = TOTALS.iter().map(|total| total.name).chain(of_clocks.iter().copied());
        let totals = totals.map(|name| format!("run_{name}"));
        let names = MEASURES.iter().map(|measure| measure.name.to_owned());
        let head: Vec<String> =
            ["run".to_owned(), "vm".to_owned()].into_iter().chain(names).chain(totals).collect();
        let mut put = |row: Vec<String>| writer.write_record(&row).map_err(|_error| fmt::Error);
        put(head)?;
        let text = |value: &Option<f64>| value.map(exact).unwrap_or_default();
        for (name, stats) in &self.runs {
            for (vm, values) in &stats.machines {
                let cells =
                    values.iter().map(text).chain(vec![String::new(); TOTALS.len() + of_clocks.len()]);
                put([name.clone(), stats.name(*vm)].into_iter().chain(cells).collect())?;
            }
            let of_clocks = of_clocks.iter().map(|name| text(&stats.total(name)));
            let cells =
                MEASURES.iter().map(|_| String::new()).chain(stats.totals.iter().map(text)).chain(of_clocks);
            put([name.clone(), "all".to_owned()].into_iter().chain(cells).collect())?;
        }
        let bytes = writer.into_inner().map_err(|_error| fmt::Error)?;
        f.write_str(&String::from_utf8_lossy(&bytes))
    }

    /// The measures of the clocks of all runs, each name once.
    fn of_clocks(&self) -> impl Iterator<Item = &OfClock> {
        let all = || self.runs.iter().flat_map(|(_, stats)| &stats.clocks);
        all()
            .enumerate()
            .filter(move |(at, clock)| all().take(*at).all(|other| other.name != clock.name))
            .map(|(_, clock)| clock)
    }

    /// A machine as people name it; the runs of one log have the same ones.
    fn name(&self, vm: VmId) -> String {
        self.runs.first().map_or_else(String::new, |(_, stats)| stats.name(vm))
    }

    /// The machines of the runs, by number.
    fn machines(&self) -> Vec<VmId> {
        let all = self.runs.iter().flat_map(|(_, stats)| stats.machines.iter().map(|(vm, _)| *vm));
        all.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }

    /// A machine's values of one measure in each run.
    fn values(&self, vm: VmId, column: usize) -> Vec<f64> {
        let value = |stats: &Stats| {
            let at = stats.machines.binary_search_by_key(&vm, |(vm, _)| *vm).ok()?;
            stats.machines[at].1[column]
        };
        self.runs.iter().filter_map(|(_, stats)| value(stats)).collect()
    }
}

fn write_drift(f: &mut fmt::Formatter<'_>, stats: &Stats) -> fmt::Result {
    if stats.drift.is_empty() {
        return Ok(());
    }
    let time = |seconds: f64| format!("{seconds:.1}s");
    let heads = stats.drift.iter().map(|(at, _)| time(at.as_secs_f64()));
    let mut table = table(std::iter::once("vm".to_owned()).chain(heads).collect());
    for (index, (vm, _)) in stats.machines.iter().enumerate() {
        let cells = stats
            .drift
            .iter()
            .map(|(_, drift)| drift[index].map(|drift| drift.to_string()).unwrap_or_default());
        table.add_row(std::iter::once(stats.name(*vm)).chain(cells));
    }
    writeln!(f, "\ndrift over time\n{table}")
}

fn table(header: Vec<String>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header);
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
        column.set_padding((2, 0));
    }
    table
}

/// One value, or the mean and the standard deviation of several.
#[expect(clippy::cast_precision_loss, reason = "a number of runs")]
fn spread(values: &[f64]) -> String {
    match values {
        [] => String::new(),
        [value] => short(*value),
        values => {
            let count = values.len() as f64;
            let mean = values.iter().sum::<f64>() / count;
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            format!("{} ±{}", short(mean), short((squares / (count - 1.0)).sqrt()))
        }
    }
}

/// A number as people read it.
fn short(value: f64) -> String {
    if value.fract().abs() < 1e-9 {
        return format!("{value:.0}");
    }
    match value.abs() {
        size if size < 0.1 => format!("{value:.4}"),
        size if size < 10.0 => format!("{value:.2}"),
        _ => format!("{value:.1}"),
    }
}

/// A number as programs read it.
fn exact(value: f64) -> String {
    if value.fract().abs() < 1e-9 { format!("{value:.0}") } else { format!("{value:.6}") }
}

impl Serialize for Printed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut runs = serializer.serialize_seq(Some(self.runs.len()))?;
        for (name, stats) in &self.runs {
            runs.serialize_element(&MeasuredRun { name, stats })?;
        }
        runs.end()
    }
}

/// One run as JSON.
struct MeasuredRun<'a> {
    name: &'a str,
    stats: &'a Stats,
}

impl Serialize for MeasuredRun<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Stats { machines, totals, drift, missing, warnings, hosts, .. } = self.stats;
        let names: Vec<&str> = MEASURES.iter().map(|measure| measure.name).collect();
        let of_clocks = || self.stats.clocks.iter();
        let total_names =
            TOTALS.iter().map(|total| total.name).chain(of_clocks().map(|clock| clock.name.as_str()));
        let total_names: Vec<&str> = total_names.collect();
        let totals: Vec<Option<f64>> =
            totals.iter().copied().chain(of_clocks().map(|clock| clock.value)).collect();
        let name = |vm: VmId| hosts.get(vm.index()).map_or(Name::Number(vm), |host| Name::Host(host));
        let machines: Vec<Named<'_>> = machines
            .iter()
            .map(|(vm, values)| Named { vm: Some(name(*vm)), names: &names, values })
            .collect();
        let drift: Vec<(f64, &Vec<Option<i64>>)> =
            drift.iter().map(|(at, drift)| (at.as_secs_f64(), drift)).collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("run", self.name)?;
        if !missing.is_empty() {
            map.serialize_entry("missing", missing)?;
        }
        map.serialize_entry("machines", &machines)?;
        map.serialize_entry("whole", &Named { vm: None, names: &total_names, values: &totals })?;
        map.serialize_entry("drift_over_time", &drift)?;
        map.serialize_entry("warnings", warnings)?;
        map.end()
    }
}

/// Values with their names.
struct Named<'a> {
    vm: Option<Name<'a>>,
    names: &'a [&'a str],
    values: &'a [Option<f64>],
}

/// What a machine is called.
#[derive(Clone, Copy)]
enum Name<'a> {
    Number(VmId),
    Host(&'a str),
}

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.vm {
            Some(Name::Number(vm)) => map.serialize_entry("vm", &vm.0)?,
            Some(Name::Host(host)) => map.serialize_entry("vm", host)?,
            None => {}
        }
        for (name, value) in self.names.iter().zip(self.values) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
