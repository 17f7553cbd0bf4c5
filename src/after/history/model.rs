//! What is known of a run beside its logs: what its manifests say of its rules and its machines.

use crate::edge::log::{Bridge, LogFolder};
use crate::edge::nodes::node_of;
use crate::model::crash::Uptime;
use crate::model::id::VmId;
use crate::model::pace::Pace;
use crate::model::registry::Registry;
use crate::model::scenario::{Scenario, Switch};
use crate::model::time::{Nanos, Schedule};
use crate::workload::Textbook;

/// The rules of a run, as far as they are known.
#[derive(Clone, Debug, Default)]
pub struct Model {
    scenario: Option<Scenario>,
    /// Whether all machines' times are of one clock.
    is_one_clock: bool,
    /// Of each log what the bridges of its folder tell.
    bridges: Vec<Vec<Bridge>>,
}

impl Model {
    /// What the manifests of a run's folders say, to a program that has this registry.
    pub fn of(folders: &[LogFolder], registry: &Registry) -> Self {
        let manifest = folders.iter().find_map(|folder| folder.manifest.as_ref());
        let scenario = manifest.and_then(|manifest| Scenario::of_logs(registry, &manifest.settings).ok());
        let is_virtual = scenario.as_ref().is_some_and(Scenario::is_virtual);
        let is_shared = manifest.is_some_and(|manifest| {
            manifest.place.is_some()
                || manifest.settings.processes.is_some_and(|processes| processes.get() > 1)
        });
        let is_one_process =
            scenario.is_some() && folders.len() == 1 && folders[0].bridges.is_empty() && !is_shared;
        let bridges =
            |folder: &LogFolder| folder.logs.iter().map(|_| folder.bridges.clone()).collect::<Vec<_>>();
        let bridges = folders.iter().flat_map(bridges).collect();
        Self { scenario, is_one_clock: is_virtual || is_one_process, bridges }
    }

    /// The scenario, where there is a manifest.
    pub const fn scenario(&self) -> Option<&Scenario> {
        self.scenario.as_ref()
    }

    /// The number of machines, where it is known.
    pub fn vms(&self) -> Option<u32> {
        self.scenario.as_ref().map(Scenario::vms)
    }

    /// Whether all machines' times are of one clock.
    pub const fn is_one_clock(&self) -> bool {
        self.is_one_clock
    }

    /// Whether nothing is known of what made the logs: no manifest and no bridge tells.
    pub fn is_unknown(&self) -> bool {
        self.scenario.is_none() && self.bridges.iter().all(Vec::is_empty)
    }

    /// Whether a machine's process may have died and gone on.
    pub const fn may_restart(&self) -> bool {
        !self.is_one_clock
    }

    /// When a machine of one of the logs went on after its process had died.
    pub fn resumes(&self, log: usize, vm: VmId) -> &[Nanos] {
        self.bridge(log, vm).map_or(&[], |bridge| &bridge.resumes)
    }

    /// Which of a run's processes a machine of one of the logs lived in, as far as is known; 0 in a run of one.
    pub fn node(&self, log: usize, vm: VmId) -> u32 {
        self.bridge(log, vm).map_or(0, |bridge| bridge.node)
    }

    fn bridge(&self, log: usize, vm: VmId) -> Option<&Bridge> {
        let bridges = self.bridges.get(log).map_or(&[][..], Vec::as_slice);
        match (bridges, self.vms()) {
            ([bridge], _) => Some(bridge),
            // All processes of a run in one folder.
            ([_, ..], Some(vms)) if vm.0 < vms => {
                let nodes = u32::try_from(bridges.len()).unwrap_or(u32::MAX);
                bridges.iter().find(|bridge| bridge.node == node_of(vm.0, nodes, vms))
            }
            _ => None,
        }
    }

    /// Whether messages from one machine to another were to stay in order.
    pub fn keeps_order(&self) -> bool {
        self.scenario.as_ref().is_some_and(|scenario| scenario.settings().fifo == Some(Switch::On))
    }

    /// Whether a machine receives before it does anything else.
    pub fn receives_first(&self) -> bool {
        self.scenario.as_ref().is_some_and(|scenario| scenario.workload().algorithm().receives_first)
    }

    /// How many messages a textbook counts of the workload.
    pub fn textbook(&self) -> Option<Textbook> {
        self.scenario.as_ref()?.workload().algorithm().textbook
    }

    /// When a machine's ticks are due.
    pub fn schedule(&self, vm: VmId) -> Option<Schedule> {
        self.scenario.as_ref().filter(|scenario| vm.0 < scenario.vms()).map(|scenario| scenario.schedule(vm))
    }

    /// A machine's ticks where they are in real time, from the first.
    pub fn live_pace(&self, vm: VmId) -> Option<Pace> {
        let scenario = self.scenario.as_ref().filter(|scenario| !scenario.is_virtual())?;
        (vm.0 < scenario.vms()).then(|| scenario.pace(vm))
    }

    /// Which of its ticks a machine makes, and when it is down.
    pub fn uptime(&self, vm: VmId) -> Option<Uptime> {
        self.scenario.as_ref().filter(|scenario| vm.0 < scenario.vms()).map(|scenario| scenario.uptime(vm))
    }

    /// Whether ticks happen exactly when they are due.
    pub fn is_exact(&self) -> bool {
        self.scenario.as_ref().is_some_and(Scenario::is_virtual)
    }

    /// The longest time that a message takes, where there is one: none in real time.
    pub fn most_latency(&self) -> Option<Nanos> {
        self.scenario.as_ref().filter(|scenario| scenario.is_virtual())?.model().latency.most()
    }

    /// What a machine's physical clock shows, where that is known.
    pub fn skew(&self, vm: VmId) -> Option<i64> {
        self.scenario.as_ref().filter(|scenario| vm.0 < scenario.vms()).map(|scenario| scenario.skew(vm))
    }

    /// The least time that a message takes.
    pub fn least_latency(&self) -> Nanos {
        self.scenario.as_ref().map_or(Nanos::ZERO, Scenario::lookahead)
    }
}
