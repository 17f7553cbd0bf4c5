//! What a process and another one's bridge do together at the edges of a run.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix::{Addr, Arbiter, System};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::bridge::{Bridge, Closing, Finish, Inbound, Membership, News, Outbound};
use super::conduct;
use crate::clock::Stamp;
use crate::edge::control::{Stop, Unwatched};
use crate::edge::driver::{Ending, Outcome, Plan};
use crate::edge::link::bounds::Bounds;
use crate::edge::link::greeting::Identity;
use crate::edge::log::{Layout, bridge_log_name};
use crate::model::event::{Message, MessageId};
use crate::model::id::VmId;
use crate::model::scenario::{Scenario, Settings};
use crate::model::seed::Seed;
use crate::model::setting::as_named;
use crate::model::time::Nanos;
use crate::workload::ScaleModel;

fn scenario() -> Scenario {
    let settings: Settings = toml::from_str("vms = 4\nclocks = \"lamport\"").unwrap();
    Scenario::new(&settings, Seed(1)).unwrap()
}

/// The places of two processes, which know each other's ports.
fn memberships(folder: &Path) -> [Membership; 2] {
    let listeners = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses: Vec<String> =
        listeners.iter().map(|listener| listener.local_addr().unwrap().to_string()).collect();
    let mut node = 0;
    listeners.map(|listener| {
        let incarnation = 7 + u64::from(node);
        let identity = Identity { run: "r".into(), scenario: "".into(), nodes: 2, node, incarnation };
        node += 1;
        Membership {
            log: folder.join(bridge_log_name(identity.node)),
            bounds: Arc::new(Bounds::of(&scenario())),
            addresses: addresses.clone(),
            join_timeout: Duration::from_secs(60),
            resume: false,
            deaths: None,
            spelled: as_named,
            key: None,
            identity,
            listener,
        }
    })
}

/// A bridge without machines, whose test says what they send.
struct Alone {
    bridge: Addr<Bridge>,
    outbound: Arc<Outbound>,
    news: UnboundedReceiver<News>,
}

impl Alone {
    fn start(membership: Membership) -> Self {
        let (sender, news) = unbounded_channel();
        let (outbound, inbound) = (Arc::<Outbound>::default(), Arc::new(Inbound::new(&membership)));
        let tell = Box::new(move |news| drop(sender.send(news)));
        let queues = (Arc::clone(&outbound), inbound);
        let bridge = Bridge::start_in(&Arbiter::current(), membership, queues, tell).unwrap();
        Self { bridge, outbound, news }
    }

    /// A message of its machine 0.
    fn send(&self, event: u64, to: u32) {
        self.outbound.push(Message {
            id: MessageId { sender: VmId(0), event },
            to: VmId(to),
            arrives: Nanos::ZERO,
            stamp: Stamp::lamport_only(event),
            payload: None,
        });
    }

    async fn end(mut self) -> Closing {
        self.bridge.do_send(Finish { lamport: 0, early: true });
        loop {
            match self.news.recv().await.unwrap() {
                News::Over(closing) => return *closing,
                News::Notice(_) => {}
                news => panic!("{news:?}"),
            }
        }
    }
}

/// Waits until both bridges have logged that there is a connection.
async fn until_linked(folder: &Path) {
    let is_linked = |node| {
        let log = std::fs::read_to_string(folder.join(bridge_log_name(node))).unwrap_or_default();
        log.contains(",connect,") || log.contains(",accept,")
    };
    while !(is_linked(0) && is_linked(1)) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Runs node 1's machines, and asks them to stop once the two are linked.
async fn interrupted(membership: Membership, folder: &Path) -> Outcome {
    let (stopper, stop) = Stop::new();
    let scenario = scenario();
    let plan = Plan { threads: 1, layout: Layout::PerVm, folder: folder.to_owned() };
    let (vms, sides) = (scenario.vms(), scenario.sides());
    let workload = move |vm| ScaleModel::new(vm, vms, sides);
    let abroad = Some((Arbiter::current(), membership));
    let (arbiters, mut observer) = (vec![Arbiter::current()], Unwatched);
    let run = conduct(arbiters, &scenario, &plan, abroad, workload, stop, &mut observer);
    let ask = async {
        until_linked(folder).await;
        stopper.stop();
    };
    tokio::join!(run, ask).0
}

/// One process is asked to stop when the other one's machines tick already and its own do not yet.
#[test]
fn what_arrives_at_a_process_that_never_begins_waits_in_its_accounts() {
    let folder = tempfile::tempdir().unwrap();
    System::new().block_on(async {
        let [first, second] = memberships(folder.path());
        let first = Alone::start(first);
        [(1, 2), (2, 3), (3, 3)].into_iter().for_each(|(event, to)| first.send(event, to));
        let outcome = interrupted(second, folder.path()).await;
        assert!(matches!(outcome.ending, Ending::Interrupted), "{:?}", outcome.ending);
        let waiting: Vec<_> =
            outcome.accounts.iter().map(|account| (account.vm.0, account.waiting)).collect();
        assert_eq!(waiting, [(2, 1), (3, 2)]);
        assert_eq!(outcome.links.unwrap().traffic.messages_received, 3);
        let traffic = first.end().await.report.traffic;
        assert_eq!((traffic.messages_sent, traffic.lost, traffic.dropped), (3, 0, 0));
    });
}
