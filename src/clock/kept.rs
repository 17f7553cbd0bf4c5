//! The clocks that one machine keeps.

use smallvec::SmallVec;

use super::{
    AnyClock, ClockList, Lamport, Moment, Occurrence, OtherStamps, Reading, Setup, Stamp, StampLayout, Values,
};
use crate::model::id::VmId;

/// The clocks that one machine keeps: Lamport's always, the others where asked for.
///
/// With many machines, how much of them fits into a processor's cache decides how fast they run: what
/// not all of them have stands elsewhere.
#[derive(Clone, Debug)]
pub struct Clocks {
    lamport: Lamport,
    others: Option<Box<Others>>,
}

/// The clocks beside Lamport's.
#[derive(Clone, Debug)]
struct Others {
    clocks: SmallVec<[AnyClock; 2]>,
    layout: StampLayout,
    /// Whether each recipient is to get a stamp of its own: looked up once, since it is asked at every send.
    are_for_recipients: bool,
    list: ClockList,
}

impl Clocks {
    /// A Lamport clock at its start, and beside it those of the list.
    pub fn new(list: &ClockList, setup: &Setup<'_>) -> Self {
        Self::started(list, setup, 0, |_| None)
    }

    /// The clocks of a machine after an event at which they had those values. One of which there is no value is at
    /// its start.
    pub fn after(list: &ClockList, setup: &Setup<'_>, lamport: u64, values: &Values) -> Self {
        Self::started(list, setup, lamport, |spec| values.of(spec))
    }

    fn started<'a>(
        list: &ClockList,
        setup: &Setup<'_>,
        lamport: u64,
        last: impl Fn(super::ClockSpec) -> Option<&'a [u64]>,
    ) -> Self {
        let start = || Others {
            clocks: list.iter().map(|spec| spec.start(setup, last(*spec))).collect(),
            layout: StampLayout::of(list),
            are_for_recipients: list.iter().any(|spec| spec.is_for_recipient),
            list: list.clone(),
        };
        Self { lamport: Lamport::at(lamport), others: (!list.is_empty()).then(|| Box::new(start())) }
    }

    /// The value of the Lamport clock.
    pub const fn lamport(&self) -> u64 {
        self.lamport.number()
    }

    /// The values of all of them.
    #[inline]
    pub fn reading(&self) -> Reading<'_> {
        let lamport = self.lamport.number();
        match &self.others {
            Some(others) => Reading::of_machine(lamport, &others.clocks, &others.list),
            None => Reading::lamport_only(lamport),
        }
    }

    /// The values of those beside Lamport's, to be kept.
    pub fn values(&self) -> Values {
        let Some(others) = &self.others else { return Values::none(ClockList::LAMPORT) };
        Values::new(others.list.clone(), others.clocks.iter().map(|clock| clock.value().to_vec()).collect())
    }

    /// An internal event or a send happens.
    #[inline]
    pub fn advance(&mut self, occurrence: Occurrence, now: Moment) {
        self.lamport.count();
        if let Some(others) = &mut self.others {
            others.advance(occurrence, now);
        }
    }

    /// A message with that stamp is received. A clock that the stamp has no value for takes the receive as an event of
    /// its own.
    #[inline]
    pub fn receive(&mut self, sender: VmId, stamp: &Stamp, now: Moment) {
        self.lamport.hear_of(stamp.lamport);
        if let Some(others) = &mut self.others {
            others.receive(sender, stamp, now);
        }
    }

    /// The value that a message takes along that was sent at the latest event, whoever gets it.
    #[inline]
    pub fn stamp(&self) -> Stamp {
        let lamport = self.lamport.number();
        let others = self.others.as_ref().map_or(OtherStamps::NONE, |others| others.stamps());
        Stamp { lamport, others }
    }

    /// Whether each recipient is to get a stamp of its own.
    #[inline]
    pub fn tell_recipients_apart(&self) -> bool {
        self.others.as_ref().is_some_and(|others| others.are_for_recipients)
    }

    /// What a message to that machine takes along that was sent at the latest event.
    pub fn stamp_for(&mut self, to: VmId) -> Stamp {
        let lamport = self.lamport.number();
        let Some(others) = &mut self.others else { return Stamp::lamport_only(lamport) };
        let stamp = |clock: &mut AnyClock| {
            let mut stamp = Vec::new();
            clock.stamp_for(to, &mut stamp);
            stamp
        };
        let values: Vec<Vec<u64>> = others.clocks.iter_mut().map(stamp).collect();
        Stamp::new(lamport, others.layout, values.iter().map(Vec::as_slice))
    }
}

/// What is done to the clocks that only some runs have stands apart, so that a machine's ticks hold no more than the
/// question whether there are any.
impl Others {
    #[inline(never)]
    fn advance(&mut self, occurrence: Occurrence, now: Moment) {
        self.clocks.iter_mut().for_each(|clock| clock.advance(occurrence, now));
    }

    #[inline(never)]
    fn receive(&mut self, sender: VmId, stamp: &Stamp, now: Moment) {
        for (clock, part) in self.clocks.iter_mut().zip(stamp.parts(self.layout)) {
            match part {
                Some(part) => clock.receive(sender, part, now),
                None => clock.advance(Occurrence::Internal, now),
            }
        }
    }

    #[inline(never)]
    fn stamps(&self) -> OtherStamps {
        OtherStamps::new(self.layout, self.clocks.iter().map(AnyClock::value))
    }
}
