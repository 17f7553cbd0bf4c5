//! Two processes with a bridge each, real sockets between them, and no machines.

#![allow(unreachable_pub, reason = "a module of a bench")]

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix::{Addr, Arbiter, System};
use clocklab::clock::Stamp;
use clocklab::drivers::live::bridge::{
    Bridge, Closing, Finish, Inbound, Membership, News, Open, Outbound, Prepared,
};
use clocklab::edge::link::bounds::Bounds;
use clocklab::edge::link::greeting::Identity;
use clocklab::edge::link::seal::Key;
use clocklab::edge::log::Traffic;
use clocklab::model::event::{Envelope, Message, MessageId};
use clocklab::model::id::VmId;
use clocklab::model::setting::as_named;
use clocklab::model::time::Nanos;

use crate::peer::{self, Peer};

/// The other end tells how many messages it has as often as this, and after the last one.
pub const REPORT: u64 = 10_000;
/// So many messages may be on their way.
const WINDOW: u64 = 100_000;

/// One end: a bridge on an arbiter of its own.
struct End {
    _system: actix_rt::SystemRunner,
    _arbiter: Arbiter,
    _folder: tempfile::TempDir,
    bridge: Addr<Bridge>,
    outbound: Arc<Outbound>,
    news: Receiver<News>,
}

/// What a run of this kind needs to know at both ends.
struct Setting {
    node: u32,
    addresses: Vec<String>,
    listener: TcpListener,
    vms: u32,
    is_secret: bool,
}

impl End {
    fn join(Setting { node, addresses, listener, vms, is_secret }: Setting) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let identity = Identity {
            run: "bench".into(),
            scenario: "".into(),
            nodes: 2,
            node,
            incarnation: 1 + u64::from(node),
        };
        let membership = Membership {
            identity,
            addresses,
            listener,
            bounds: Arc::new(Bounds::open(vms, "vector".parse().expect("a clock"))),
            key: is_secret.then(|| Arc::new(Key::new(b"a secret of the bench").expect("a key"))),
            join_timeout: Duration::from_secs(20),
            log: PathBuf::from(folder.path()).join("bridge.csv"),
            resume: false,
            deaths: None,
            spelled: as_named,
        };
        let inbound = Arc::new(Inbound::new(&membership));
        let system = System::new();
        let (sender, news) = mpsc::channel();
        let outbound = Arc::<Outbound>::default();
        let (arbiter, bridge) = system.block_on(async {
            let arbiter = Arbiter::new();
            let tell = Box::new(move |news| drop(sender.send(news)));
            let bridge =
                Bridge::start_in(&arbiter.handle(), membership, (Arc::clone(&outbound), inbound), tell);
            (arbiter, bridge.expect("a bridge"))
        });
        bridge.do_send(Prepared::default());
        let end = Self { _system: system, _arbiter: arbiter, _folder: folder, bridge, outbound, news };
        end.wait(|news| matches!(news, News::Start { .. }).then_some(()));
        end
    }

    fn open(&self, deliver: impl FnMut(Envelope) + Send + 'static) {
        self.bridge.do_send(Open(Box::new(deliver)));
    }

    fn wait<T>(&self, is_it: impl Fn(News) -> Option<T>) -> T {
        loop {
            let news = self.news.recv_timeout(Duration::from_secs(60)).expect("news in time");
            assert!(!matches!(news, News::NotJoined(_) | News::Panicked(_)), "{news:?}");
            if let Some(found) = is_it(news) {
                return found;
            }
        }
    }

    fn finish(&self) -> Closing {
        self.bridge.do_send(Finish { lamport: 0, early: false });
        self.wait(|news| if let News::Over(closing) = news { Some(*closing) } else { None })
    }
}

/// The end that sends and measures, and the process of the other one.
pub struct Crossing {
    end: End,
    peer: Peer,
    vms: u32,
    sent: u64,
    confirmed: u64,
    reports: Receiver<u64>,
    echoes: Receiver<Vec<Duration>>,
    /// What is left of the round trips under way, and when the present one began.
    trips: Arc<Mutex<Trips>>,
}

#[derive(Default)]
struct Trips {
    left: usize,
    begun: Option<Instant>,
    times: Vec<Duration>,
}

impl Crossing {
    /// Starts both processes, and waits until they have met.
    pub fn start(vms: u32, is_secret: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let own = listener.local_addr().expect("a socket").to_string();
        let (count, secret) = (vms.to_string(), is_secret.to_string());
        let mut peer = Peer::start(&["bridge", &own, &count, &secret]);
        let addresses = vec![own, peer.hear()];
        let end = End::join(Setting { node: 0, addresses, listener, vms, is_secret });
        let (report, reports) = mpsc::channel();
        let (echo, echoes) = mpsc::channel();
        let trips = Arc::new(Mutex::new(Trips::default()));
        let (outbound, under_way) = (Arc::clone(&end.outbound), Arc::clone(&trips));
        end.open(move |envelope| {
            let Envelope::Message(message) = envelope else { return };
            if is_echo(&message) {
                if let Some(times) = returned(&under_way) {
                    let _ = echo.send(times);
                } else {
                    under_way.lock().expect("no panic").begun = Some(Instant::now());
                    outbound.push(call_for_echo(vms));
                }
            } else {
                let _ = report.send(message.stamp.lamport());
            }
        });
        Self { end, peer, vms, sent: 0, confirmed: 0, reports, echoes, trips }
    }

    /// Nanoseconds a message until the other end has told that it has all of them, which are a whole number
    /// of [`REPORT`]s. The sender waits where too many are on their way, as one can that is no machine.
    pub fn stream<M: Into<Envelope>>(&mut self, messages: u64, mut next: impl FnMut(u64) -> M) -> f64 {
        let begun = Instant::now();
        for _ in 0..messages {
            self.sent += 1;
            self.end.outbound.push(next(self.sent));
            if self.sent.is_multiple_of(REPORT) {
                self.wait_until(self.sent.saturating_sub(WINDOW - REPORT));
            }
        }
        self.wait_until(self.sent);
        assert_eq!(self.confirmed, self.sent);
        begun.elapsed().as_nanos() as f64 / messages as f64
    }

    fn wait_until(&mut self, confirmed: u64) {
        while self.confirmed < confirmed {
            self.confirmed = self.reports.recv_timeout(Duration::from_secs(60)).expect("reports go on");
        }
    }

    /// The times of so many round trips of a lone message from bridge to bridge and back.
    pub fn rounds(&mut self, count: usize) -> Vec<Duration> {
        *self.trips.lock().expect("no panic") =
            Trips { left: count, begun: Some(Instant::now()), times: Vec::with_capacity(count) };
        self.end.outbound.push(call_for_echo(self.vms));
        self.echoes.recv_timeout(Duration::from_secs(60)).expect("echoes come")
    }

    /// Ends both processes in order; tells what passed at this end.
    pub fn end(mut self) -> Traffic {
        self.peer.release();
        let traffic = self.end.finish().report.traffic;
        self.peer.end();
        assert_eq!((traffic.dropped, traffic.lost), (0, 0), "the sender has waited");
        traffic
    }
}

/// A round trip is over; all times after the last one.
fn returned(trips: &Mutex<Trips>) -> Option<Vec<Duration>> {
    let mut trips = trips.lock().expect("no panic");
    let time = trips.begun.take().expect("one is under way").elapsed();
    trips.times.push(time);
    trips.left -= 1;
    (trips.left == 0).then(|| std::mem::take(&mut trips.times))
}

/// The other process: counts what comes and demands that it comes in order.
pub fn count(words: &[String]) {
    let [first, vms, is_secret] = words else { panic!("three words: {words:?}") };
    let vms: u32 = vms.parse().expect("a number");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let own = listener.local_addr().expect("a socket").to_string();
    peer::say(&own);
    let (addresses, is_secret) = (vec![first.clone(), own], is_secret == "true");
    let end = End::join(Setting { node: 1, addresses, listener, vms, is_secret });
    let outbound = Arc::clone(&end.outbound);
    let (mut received, mut latest) = (0, vec![0; vms as usize]);
    end.open(move |envelope| {
        let Envelope::Message(message) = envelope else { return };
        if is_echo(&message) {
            return outbound.push(Message { id: echo(vms - 1), to: VmId(0), ..message });
        }
        received += 1;
        let latest = &mut latest[message.id.sender.index()];
        // One send may go to two machines.
        let is_first = *latest < message.id.event;
        let is_second =
            *latest == message.id.event && message.stamp != Stamp::lamport_only(message.stamp.lamport());
        assert!(is_first || is_second, "a message out of its place");
        *latest = message.id.event;
        if received % REPORT == 0 {
            outbound.push(report(received, vms));
        }
    });
    peer::wait_for_release();
    end.finish();
}

const fn echo(sender: u32) -> MessageId {
    MessageId { sender: VmId(sender), event: u64::MAX }
}

fn is_echo(message: &Message) -> bool {
    message.id.event == u64::MAX
}

fn call_for_echo(vms: u32) -> Message {
    Message { id: echo(0), to: VmId(vms - 1), ..report(0, vms) }
}

fn report(received: u64, vms: u32) -> Message {
    Message {
        id: MessageId { sender: VmId(vms - 1), event: received },
        to: VmId(0),
        arrives: Nanos::ZERO,
        stamp: Stamp::lamport_only(received),
        payload: None,
    }
}
