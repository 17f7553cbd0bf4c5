//! Whether the ticks of a run kept their times, and what a person should know where they did not. Both who conducts
//! a run and who reads its logs add up the same ticks here, and say the same of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Late, Lateness, Made};
use crate::model::time::{Nanos, Rate};

/// A tick that is later than this is told of. Times are looked at in slots of this length.
const SLOT: Nanos = Nanos::new(100_000_000);
/// Slots without a tick of which a person should know.
const STAND: usize = 5;
/// The least mean lateness of which a person should know, in milliseconds.
const MEAN_MS: f64 = 50.0;
/// The most slots that are kept, some 29 hours; beyond, each becomes twice as long.
const MOST_SLOTS: usize = 1 << 20;
/// The most machines that are named of one sort of warning.
const MOST: usize = 5;

/// When machines ticked, and when they did not though a tick was due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Punctuality {
    /// The length of a slot.
    slot: Nanos,
    /// Slots in which a tick was made.
    ticked: Vec<u64>,
    /// Slots in which a machine had a tick to make that was due, and made none.
    awaited: Vec<u64>,
    /// Ticks are in this slot until then: most come in the slot of the one before.
    until: Nanos,
    from: Nanos,
    /// Ticks that were more than [`SLOT`] late.
    late: u64,
    /// How late the latest was.
    latest: Nanos,
    /// How far the time of day moved beyond the run's own time, in nanoseconds, where somebody looked.
    stepped: i64,
}

impl Default for Punctuality {
    fn default() -> Self {
        let (ticked, awaited) = (Vec::new(), Vec::new());
        Self {
            slot: SLOT,
            ticked,
            awaited,
            until: Nanos::ZERO,
            from: Nanos::ZERO,
            late: 0,
            latest: Nanos::ZERO,
            stepped: 0,
        }
    }
}

impl Punctuality {
    /// Adds a tick that was made, on time or late.
    #[inline]
    pub fn add(&mut self, made: &Made) {
        if made.at < self.from || made.at >= self.until {
            self.tick(made.at);
        }
        let late = made.late();
        if late > SLOT {
            self.late += 1;
            self.latest = self.latest.max(late);
            self.wait(made.due.max(made.before), made.at);
        }
    }

    /// The time of day has moved so far beyond the run's own time, in nanoseconds.
    pub const fn step(&mut self, nanos: i64) {
        self.stepped = nanos;
    }

    /// Of a computer that slept or whose clock was set, where that is a second or more.
    fn clock_words(&self, whose: &str) -> Option<String> {
        let seconds = Nanos::new(self.stepped.unsigned_abs());
        let step = seconds.as_secs_f64();
        let what = match self.stepped {
            0.. => format!("went on by {step:.1} s more than the run's: it slept, or its clock was set"),
            _ => format!("was set back by {step:.1} s"),
        };
        let warns = seconds >= Nanos::from_secs(1);
        warns.then(|| {
            format!("the computer's clock{whose} {what}; times of day in the logs go by the run's own time")
        })
    }

    fn tick(&mut self, at: Nanos) {
        while self.index(at) >= MOST_SLOTS {
            self.coarsen();
        }
        let index = self.index(at);
        self.from = Nanos::new(self.slot.get().saturating_mul(index as u64));
        self.until = self.from.plus(self.slot);
        set(&mut self.ticked, index);
    }

    fn wait(&mut self, from: Nanos, to: Nanos) {
        // The slot of the tick itself is no gap.
        (self.index(from)..self.index(to)).for_each(|index| set(&mut self.awaited, index));
    }

    fn index(&self, at: Nanos) -> usize {
        usize::try_from(at.get() / self.slot.get()).unwrap_or(usize::MAX)
    }

    fn coarsen(&mut self) {
        // A slot of the double length was ticked in, or awaited, where one of its halves was.
        for slots in [&mut self.ticked, &mut self.awaited] {
            let mut coarse = Vec::new();
            (0..slots.len() * 64)
                .filter(|index| is_set(slots, *index))
                .for_each(|index| set(&mut coarse, index / 2));
            *slots = coarse;
        }
        self.slot = self.slot.plus(self.slot);
        // The slot that was looked at last has no place any more: the next tick finds its own.
        (self.from, self.until) = (Nanos::ZERO, Nanos::ZERO);
    }

    /// Adds the ticks of other machines of the run.
    pub fn merge(&mut self, others: &Self) {
        let mut others = others.clone();
        // Slots only ever double, so the shorter ones come to be as long as the longer.
        while self.slot < others.slot {
            self.coarsen();
        }
        while others.slot < self.slot {
            others.coarsen();
        }
        debug_assert_eq!(self.slot, others.slot, "the slots of two processes are of one length");
        for (slots, others) in [(&mut self.ticked, others.ticked), (&mut self.awaited, others.awaited)] {
            slots.resize(slots.len().max(others.len()), 0);
            slots.iter_mut().zip(others).for_each(|(slots, others)| *slots |= others);
        }
        self.late += others.late;
        self.latest = self.latest.max(others.latest);
        if others.stepped.unsigned_abs() > self.stepped.unsigned_abs() {
            self.stepped = others.stepped;
        }
    }

    /// When no machine made a tick though one was due, and for how long, in the order of time.
    fn stands(&self) -> Vec<(Nanos, Nanos)> {
        let slots = self.awaited.len() * 64;
        let stands = |index: usize| is_set(&self.awaited, index) && !is_set(&self.ticked, index);
        let time = |slots: usize| Nanos::new(self.slot.get().saturating_mul(slots as u64));
        let mut found = Vec::new();
        let mut index = 0;
        while index < slots {
            let length = (index..slots).take_while(|index| stands(*index)).count();
            if time(length) >= time_of(STAND) {
                found.push((time(index), time(length)));
            }
            index += length.max(1);
        }
        found
    }

    /// Of standing still, and of what became of the late ticks; nothing where no tick was late for long.
    fn words(&self, whose: &str, late: Late, skipped: u64, delay: Nanos) -> Option<String> {
        let stands = self.stands();
        let (from, longest) = stands.iter().copied().max_by_key(|(_, length)| *length)?;
        let longest = longest.as_secs_f64();
        let (from, to) = (from.as_secs_f64(), from.as_secs_f64() + longest);
        let stood = match stands.len() {
            1 => format!("no machine{whose} ticked for {longest:.1} s, from {from:.1} s to {to:.1} s"),
            count => {
                let sum = stands.iter().fold(Nanos::ZERO, |sum, (_, length)| sum.plus(*length)).as_secs_f64();
                format!(
                    "{count} times no machine{whose} ticked, for {sum:.1} s in all, the longest from {from:.1} s to {to:.1} s"
                )
            }
        };
        let (ticks, latest) = (self.late, self.latest.as_secs_f64());
        let were = if ticks == 1 { "tick was" } else { "ticks were" };
        let then = match late {
            Late::Burst => " and made in a burst".to_owned(),
            Late::Skip => format!(", and {skipped} whose time had passed were left out"),
            Late::Delay => {
                format!(
                    ", and those after them were due later by as much, {:.1} s at the end",
                    delay.as_secs_f64()
                )
            }
        };
        Some(format!(
            "{stood}, though ticks were due (the process was stopped, or the computer was busy); {ticks} {were} more than 0.1 s \
             late, up to {latest:.1} s{then}"
        ))
    }
}

const fn time_of(slots: usize) -> Nanos {
    Nanos::new(SLOT.get() * slots as u64)
}

fn set(slots: &mut Vec<u64>, index: usize) {
    let word = index / 64;
    if slots.len() <= word {
        slots.resize(word + 1, 0);
    }
    slots[word] |= 1 << (index % 64);
}

fn is_set(slots: &[u64], index: usize) -> bool {
    slots.get(index / 64).is_some_and(|word| word & (1 << (index % 64)) != 0)
}

/// What a person should know of a run's ticks: whether it stood still, and which machines did not keep their rate.
/// Each of these has a name, its rate, and how late its ticks were. Each process of a run may stand still by itself.
pub fn warnings<'a>(
    late: Late,
    nodes: &BTreeMap<u32, Punctuality>,
    machines: impl Iterator<Item = (String, Rate, &'a Lateness)> + Clone,
) -> Vec<String> {
    let skipped = machines.clone().map(|(.., lateness)| lateness.skipped()).sum();
    let delay = machines.clone().map(|(.., lateness)| lateness.delay()).max().unwrap_or_default();
    let words = |(node, punctuality): (&u32, &Punctuality)| {
        let whose = if nodes.len() > 1 { format!(" of node {node}") } else { String::new() };
        [punctuality.words(&whose, late, skipped, delay), punctuality.clock_words(&whose)]
    };
    let mut warnings: Vec<String> = nodes.iter().flat_map(words).flatten().collect();
    let mut behind = machines.filter_map(|(name, rate, lateness)| fell_behind(&name, rate, lateness));
    warnings.extend(behind.by_ref().take(MOST));
    let more = behind.count();
    if more > 0 {
        warnings.push(format!("… and {more} more machines like that"));
    }
    warnings
}

/// Of ticks that are late by half a period on the mean and by more than a timer may be, or that did not happen for being late.
fn fell_behind(name: &str, rate: Rate, lateness: &Lateness) -> Option<String> {
    let period = rate.period();
    let mean = lateness.mean_ms();
    let mut said = Vec::new();
    if mean > MEAN_MS.max(period.as_secs_f64() * 500.0) && lateness.ticks() > 1 {
        said.push(format!("its events were {mean:.1} ms late on the mean"));
    }
    if lateness.skipped() > 0 {
        let due = lateness.ticks() + lateness.skipped();
        said.push(format!(
            "{} of its {due} ticks were left out, since their time had passed",
            lateness.skipped()
        ));
    }
    if lateness.delay() >= period {
        said.push(format!("it ends {:.1} s behind its schedule", lateness.delay().as_secs_f64()));
    }
    (!said.is_empty())
        .then(|| format!("{name} did not keep its rate of {rate} a second: {}", said.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::pace::Pace;
    use crate::model::time::Schedule;

    /// A machine of that rate that runs up to 10 s and is held from 3 s to 7 s.
    fn held(rate: u32, late: Late) -> (Punctuality, Lateness, Rate) {
        let rate = Rate::new(rate).unwrap();
        let mut pace = Pace::new(Schedule::new(rate, rate.period()), late);
        let (mut punctuality, mut lateness) = (Punctuality::default(), Lateness::default());
        while pace.due() <= Nanos::from_secs(10) {
            let due = pace.due();
            let is_held = (Nanos::from_secs(3)..Nanos::from_secs(7)).contains(&due);
            let made = pace.made(if is_held { Nanos::from_secs(7) } else { due });
            punctuality.add(&made);
            lateness.add(made.late());
        }
        lateness.settle(&pace);
        (punctuality, lateness, rate)
    }

    fn said(late: Late, rates: &[u32]) -> Vec<String> {
        let machines: Vec<_> = rates.iter().map(|rate| held(*rate, late)).collect();
        let mut whole = Punctuality::default();
        machines.iter().for_each(|(punctuality, ..)| whole.merge(punctuality));
        let named = machines.iter().enumerate();
        warnings(
            late,
            &BTreeMap::from([(0, whole)]),
            named.map(|(vm, (_, lateness, rate))| (format!("machine {vm}"), *rate, lateness)),
        )
    }

    #[test]
    fn a_run_that_stood_still_says_for_how_long_and_what_became_of_its_ticks() {
        let stood = "no machine ticked for 4.0 s, from 3.0 s to 7.0 s, though ticks were due (the process was stopped, or \
                     the computer was busy); ";
        assert_eq!(
            said(Late::Burst, &[10, 1]),
            [
                format!("{stood}43 ticks were more than 0.1 s late, up to 4.0 s and made in a burst"),
                "machine 0 did not keep its rate of 10 a second: its events were 820.0 ms late on the mean"
                    .to_owned(),
                "machine 1 did not keep its rate of 1 a second: its events were 1000.0 ms late on the mean"
                    .to_owned(),
            ]
        );
        assert_eq!(
            said(Late::Skip, &[10]),
            [
                format!("{stood}1 tick was more than 0.1 s late, up to 4.0 s, and 40 whose time had passed were left out"),
                "machine 0 did not keep its rate of 10 a second: its events were 66.7 ms late on the mean; 40 of its 100 ticks \
                 were left out, since their time had passed"
                    .to_owned(),
            ]
        );
        assert_eq!(
            said(Late::Delay, &[10]),
            [
                format!(
                    "{stood}1 tick was more than 0.1 s late, up to 4.0 s, and those after them were due later by as much, 4.0 s \
                     at the end"
                ),
                "machine 0 did not keep its rate of 10 a second: its events were 66.7 ms late on the mean; it ends 4.0 s \
                 behind its schedule"
                    .to_owned(),
            ]
        );
    }

    #[test]
    fn a_machine_that_ticks_while_another_is_late_stands_for_a_run_that_goes_on() {
        let (mut whole, ..) = held(10, Late::Burst);
        for tenth in 0..100 {
            let at = Nanos::new(tenth * 100_000_000);
            whole.add(&Made { due: at, at, before: at });
        }
        assert_eq!(whole.stands(), []);
    }

    #[test]
    fn a_computer_that_slept_is_told_of() {
        let said = |nanos| {
            let mut punctuality = Punctuality::default();
            punctuality.step(nanos);
            warnings(Late::Burst, &BTreeMap::from([(0, punctuality)]), std::iter::empty())
        };
        assert_eq!(
            said(600_000_000_000),
            [
                "the computer's clock went on by 600.0 s more than the run's: it slept, or its clock was set; times of day in the \
              logs go by the run's own time"
            ]
        );
        assert!(said(-2_000_000_000)[0].starts_with("the computer's clock was set back by 2.0 s; "));
        assert!(said(999_999_999).is_empty() && said(-999_999_999).is_empty());
    }

    #[test]
    fn a_long_run_is_looked_at_more_coarsely() {
        let day = Nanos::from_secs(24 * 3600);
        let mut punctuality = Punctuality::default();
        let on_time = |at: Nanos| Made { due: at, at, before: at };
        punctuality.add(&on_time(Nanos::from_secs(1)));
        let (due, at) = (day, day.plus(Nanos::from_secs(3600)));
        punctuality.add(&Made { due, at, before: Nanos::from_secs(1) });
        punctuality.add(&on_time(Nanos::from_secs(10 * 24 * 3600)));
        assert!(punctuality.ticked.len() <= MOST_SLOTS / 64);
        let mut other = Punctuality::default();
        other.merge(&punctuality);
        let [(from, length)] = other.stands()[..] else { panic!("{:?}", other.stands()) };
        assert!(
            from.get().abs_diff(day.get()) < 2_000_000_000
                && length.get().abs_diff(at.minus(due).get()) < 2_000_000_000
        );
    }
}
