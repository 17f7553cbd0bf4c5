//! Snapshots of machines that pay each other: Chandy and Lamport's.
//!
//! Machine 0 records what it has and sends a marker to all others, before it pays anything more. Who receives its first
//! marker of a snapshot records what it has, takes the channel on which the marker came for empty, and sends markers to
//! all others; of every other channel it records what is paid on it until its marker comes. So a snapshot costs a marker
//! a channel, N(N-1) in all, and what is recorded of machines and channels is all the money that there is. Messages have
//! to stay in order.
//!
//! The state that a machine records is the one just before the event `recorded`. The marker takes it along, so that it
//! stands in the log.

use std::collections::BTreeMap;

use super::{Algorithm, Heard, Make, Parameter, Protocol, Setup, Snapshots, Speaking, Turn};
use crate::model::id::VmId;

pub(super) static ALGORITHM: Algorithm = Algorithm {
    name: "snapshot",
    title: "snapshots of machines that pay each other, for a marker a channel",
    paper: "Chandy, Lamport 1985",
    make: Make::Boxed(|vm, setup| Box::new(Speaking::new(vm, setup, Payer::new(vm, setup)))),
    judge: Some(|setup| {
        Box::new(Snapshots::new(setup.vms(), u64::from(setup.vms()) * setup.parameter("money")))
    }),
    parameters: &[
        Parameter {
            name: "money",
            meaning: "what each machine has at first",
            default: 100,
            range: (0, 1_000_000_000),
            is_setting: false,
        },
        Parameter {
            name: "pay",
            meaning: "one of so many ticks with nothing else to do pays",
            default: 5,
            range: (1, 1_000_000),
            is_setting: false,
        },
        Parameter {
            name: "pause",
            meaning: "events of machine 0 from the end of a snapshot to the next",
            default: 20,
            range: (1, 1_000_000),
            is_setting: false,
        },
    ],
    least_vms: 2,
    longest_payload: "marker ".len() + 2 * 21,
    needs_order: true,
    needs_delivery: true,
    ..Algorithm::PLAIN
};

messages! {
    /// What machines send each other.
    enum Word {
        /// So much money.
        Pay { amount: u64 } = "pay",
        /// What comes after it is not in the snapshot of that number, in which its sender has recorded so much.
        Marker { snapshot: u64, recorded: u64 } = "marker",
    }
}

/// A machine that pays others now and then.
#[derive(Debug)]
struct Payer {
    own: VmId,
    vms: u32,
    one_in: u64,
    pause: u64,
    money: u64,
    /// The number of the last snapshot for which it has recorded its state.
    recorded: u64,
    /// Of each snapshot that is not complete here, what came on the channels whose marker has not come.
    open: BTreeMap<u64, BTreeMap<VmId, u64>>,
    /// When machine 0 takes the next one.
    next: u64,
}

impl Payer {
    fn new(own: VmId, setup: &Setup) -> Self {
        let pause = setup.parameter("pause");
        Self {
            own,
            vms: setup.vms(),
            one_in: setup.parameter("pay"),
            pause,
            money: setup.parameter("money"),
            recorded: 0,
            open: BTreeMap::new(),
            next: pause,
        }
    }

    /// The marker-sending rule. Nothing is paid before the markers have left, as a machine with something to send has no
    /// idle tick.
    fn record(&mut self, snapshot: u64, came_from: Option<VmId>, turn: &mut Turn<'_, Word>) {
        self.recorded = snapshot;
        let is_open = |vm: &VmId| *vm != self.own && Some(*vm) != came_from;
        let channels: BTreeMap<VmId, u64> =
            (0..self.vms).map(VmId).filter(is_open).map(|vm| (vm, 0)).collect();
        if !channels.is_empty() {
            self.open.insert(snapshot, channels);
        }
        turn.mark("recorded");
        turn.send_to_others(Word::Marker { snapshot, recorded: self.money });
    }

    /// The marker-receiving rule, for a state that is recorded already.
    fn close(&mut self, snapshot: u64, from: VmId, turn: &mut Turn<'_, Word>) {
        let Some(channels) = self.open.get_mut(&snapshot) else { return };
        if let Some(amount) = channels.remove(&from) {
            turn.mark(format_args!("channel vm{from} {amount}"));
        }
        if channels.is_empty() {
            self.open.remove(&snapshot);
            self.next = turn.tick.event + self.pause;
        }
    }
}

impl Protocol for Payer {
    type Message = Word;

    fn idle(&mut self, turn: &mut Turn<'_, Word>) {
        if self.own.0 == 0 && self.open.is_empty() && turn.tick.event >= self.next {
            self.record(self.recorded + 1, None, turn);
        } else if self.money > 0 && turn.stream.below(self.one_in) == 0 {
            let amount = 1 + turn.stream.below(self.money);
            let other = turn.stream.below(u64::from(self.vms) - 1);
            let others = (0..self.vms).map(VmId).filter(|vm| *vm != self.own);
            let to = others.zip(0..).find(|(_, place)| *place == other).map(|(vm, _)| vm);
            self.money -= amount;
            turn.send(to, Word::Pay { amount });
        }
    }

    fn received(&mut self, heard: &Heard<Word>, turn: &mut Turn<'_, Word>) {
        match heard.message {
            Word::Pay { amount } => {
                let channels = self.open.values_mut().filter_map(|channels| channels.get_mut(&heard.from()));
                channels.for_each(|channel| *channel = channel.saturating_add(amount));
                self.money = self.money.saturating_add(amount);
            }
            Word::Marker { snapshot, .. } if snapshot > self.recorded => {
                self.record(snapshot, Some(heard.from()), turn);
            }
            Word::Marker { snapshot, .. } => self.close(snapshot, heard.from(), turn),
        }
    }

    fn keeps(&self) -> Option<String> {
        Some(format!("{} {}", self.money, self.recorded))
    }

    /// Its money is as safe as what it keeps; what was on the way to it is lost. It was in the midst of no snapshot.
    fn resume(&mut self, kept: Option<&str>) {
        let kept = kept.and_then(|kept| kept.split_once(' '));
        let kept = kept.and_then(|(money, recorded)| money.parse().ok().zip(recorded.parse().ok()));
        (self.money, self.recorded) = kept.unwrap_or_default();
        self.open.clear();
    }
}
