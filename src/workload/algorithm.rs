//! What the others know of a workload: its description, which is all that they ask.
//!
//! Whoever reads logs, sums them up or opens links has to know a few things of what made the messages: how many
//! there can be, whether a machine receives before it does anything else, what a textbook counts. The workload says so
//! itself, in an [`Algorithm`] that stands in its own file, so that no other file asks which workload it is.

use std::fmt;

use super::{AnyWorkload, Judge, ScaleModel};
use crate::model::id::VmId;

/// The description of a workload.
///
/// Only the first four fields have to be said; [`Algorithm::PLAIN`] has for the others what is true of any.
#[derive(Clone, Copy, Debug)]
pub struct Algorithm {
    /// What it is called on the command line and in manifests: small letters, digits and hyphens.
    pub name: &'static str,
    /// What it does, for the help: half a line.
    pub title: &'static str,
    /// Where it comes from, such as `Lamport 1978`; empty where it is nobody's.
    pub paper: &'static str,
    /// Makes the workload of one machine.
    pub make: Make,
    /// Makes who holds a run to what the workload promises; none where it promises nothing.
    pub judge: Option<MakeJudge>,
    /// What can be set of it, by `--workload NAME:parameter=value,…`.
    pub parameters: &'static [Parameter],
    /// The fewest machines that it does something with.
    pub least_vms: u32,
    /// The most machines that one of its sends or calls goes to, in a run of so many.
    pub most_recipients: fn(u32) -> u32,
    /// The most bytes that one of its messages carries beside the stamp.
    pub longest_payload: usize,
    /// Whether what it promises takes messages that stay in order from one machine to another.
    pub needs_order: bool,
    /// Whether what it promises takes a network that neither loses nor duplicates messages.
    pub needs_delivery: bool,
    /// Whether a machine that has a message always receives it before it does anything else.
    pub receives_first: bool,
    /// Whether a machine is sent no messages by what it is.
    pub is_sent_nothing: fn(VmId) -> bool,
    /// Where its sends go to all others alike: how many messages a tick that receives nothing sends to each of the
    /// others, on the mean. None of a run in which they do not.
    pub sends_to_each: Option<fn(&Setup) -> Option<f64>>,
    /// How many messages a textbook counts.
    pub textbook: Option<Textbook>,
}

/// How many messages a textbook counts for each time that something comes about.
#[derive(Clone, Copy, Debug)]
pub struct Textbook {
    /// The mark of the event that is counted, such as `enter`.
    pub mark: &'static str,
    /// The count as the textbook writes it, such as `3(N-1)`.
    pub formula: &'static str,
    /// The same for so many machines.
    pub messages: fn(u32) -> f64,
}

/// Makes a judge for a run.
pub type MakeJudge = fn(&Setup) -> Box<dyn Judge>;

/// A whole number that can be set of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// What it is called.
    pub name: &'static str,
    /// What it means, for the help.
    pub meaning: &'static str,
    /// What it is where nothing is said.
    pub default: u64,
    /// The smallest and the largest value that make sense.
    pub range: (u64, u64),
    /// Whether it is a setting of the run as well, with a flag and a key of its own in scenario files. It stands
    /// there in a manifest, as it did before workloads had parameters.
    pub is_setting: bool,
}

/// How machines come by their workload.
#[derive(Clone, Copy)]
pub enum Make {
    /// Behind a pointer, as any workload can be.
    Boxed(fn(VmId, &Setup) -> AnyWorkload),
    /// As part of the machine. A million machines that do little more than roll a die are as fast as their memory
    /// is, and a pointer more at each tick would be felt.
    Dice(fn(VmId, &Setup) -> ScaleModel),
}

/// What a workload is to know of its run: how many machines there are, and its parameters.
#[derive(Clone, Debug)]
pub struct Setup {
    vms: u32,
    parameters: &'static [Parameter],
    values: Box<[u64]>,
}

impl Algorithm {
    /// A workload of which nothing is known: it promises nothing, and may do everything that a machine can.
    pub const PLAIN: Self = Self {
        name: "",
        title: "",
        paper: "",
        make: Make::Dice(|vm, setup| ScaleModel::new(vm, setup.vms, 1)),
        judge: None,
        parameters: &[],
        least_vms: 1,
        most_recipients: |vms| vms.saturating_sub(1),
        longest_payload: 256,
        needs_order: false,
        needs_delivery: false,
        receives_first: false,
        is_sent_nothing: |_| false,
        sends_to_each: None,
        textbook: None,
    };

    /// The parameter of that name, where it has one.
    pub fn parameter(&self, name: &str) -> Option<&'static Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// What it needs of the network to keep what it promises, and does not get.
    pub fn lacks(&self, keeps_order: bool, delivers: bool) -> Option<&'static str> {
        match (self.needs_order && !keeps_order, self.needs_delivery && !delivers) {
            (false, false) => None,
            (true, false) => Some("messages that stay in order"),
            (false, true) => Some("a network that loses and duplicates nothing"),
            (true, true) => {
                Some("messages that stay in order, and a network that loses and duplicates nothing")
            }
        }
    }
}

/// What it is called, what it does and what can be set of it, as the help tells.
impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.title)?;
        if !self.paper.is_empty() {
            write!(f, " ({})", self.paper)?;
        }
        if let Some(Textbook { mark, formula, .. }) = self.textbook {
            write!(f, "; {formula} messages for each {mark}")?;
        }
        for Parameter { name, meaning, default, range: (least, most), .. } in self.parameters {
            write!(f, "; {name}={default}, {meaning} ({least} to {most})")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Make {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boxed(_) => "Boxed",
            Self::Dice(_) => "Dice",
        })
    }
}

impl Make {
    /// The workload of one machine, behind a pointer in any case.
    pub fn boxed(self, vm: VmId, setup: &Setup) -> AnyWorkload {
        match self {
            Self::Boxed(make) => make(vm, setup),
            Self::Dice(make) => Box::new(make(vm, setup)),
        }
    }
}

impl Setup {
    /// A run of so many machines, with the parameters at their defaults.
    pub fn new(vms: u32, algorithm: &Algorithm) -> Self {
        let parameters = algorithm.parameters;
        Self { vms, parameters, values: parameters.iter().map(|parameter| parameter.default).collect() }
    }

    /// The number of machines.
    pub const fn vms(&self) -> u32 {
        self.vms
    }

    /// The value of a parameter.
    ///
    /// # Panics
    ///
    /// Where the workload's description has no parameter of that name.
    pub fn parameter(&self, name: &str) -> u64 {
        let place = self.parameters.iter().position(|parameter| parameter.name == name);
        self.values[place.unwrap_or_else(|| panic!("the workload's description has no parameter {name}"))]
    }

    /// Sets the parameter of that name, which there is.
    pub(super) fn set(&mut self, name: &str, value: u64) {
        if let Some(place) = self.parameters.iter().position(|parameter| parameter.name == name) {
            self.values[place] = value;
        }
    }

    /// The parameters with their values, in the order of the description.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static Parameter, u64)> + '_ {
        self.parameters.iter().zip(self.values.iter().copied())
    }
}
