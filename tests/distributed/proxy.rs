//! A proxy that stands between two processes and does to their connections what networks do: it cuts them,
//! delays them, lets them fall silent, refuses new ones, and puts in bytes that nobody sent.
//!
//! Every call has taken effect when it returns, and [`Proxy::wait_until`] waits for what has passed: a test
//! has no need to sleep. All of it happens in one thread, so that between two calls nothing but bytes moves.

pub(crate) mod tests;

use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Index;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task;
use tokio::time::{Instant, sleep_until, timeout};

/// How long a test waits for what should come at once.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most bytes that pass together.
const PIECE: usize = 16 << 10;
/// The most pieces that are on their way in one direction of a connection.
const ON_THE_WAY: usize = 256;

/// A direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the end that dialled to the proxy's target.
    There,
    /// From the target to the end that dialled.
    Back,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// In order, as where the other process closes it: both ends find the end of the stream.
    Fin,
    /// By force, as where the other machine has forgotten it: both ends find an error.
    Rst,
}

/// What has passed so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Connections that were accepted.
    pub(crate) accepted: u64,
    /// Those of them that are open.
    pub(crate) open: u64,
    /// Those that found no target.
    pub(crate) unreached: u64,
    /// Bytes that were passed on, in each direction.
    pub(crate) passed: Each<u64>,
    /// Bytes that were put in, in each direction.
    pub(crate) injected: Each<u64>,
}

/// One for each direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Each<T>([T; 2]);

/// A proxy, which lives until it is dropped; then all its connections are closed.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    calls: Option<mpsc::UnboundedSender<(Call, oneshot::Sender<usize>)>>,
    thread: Option<JoinHandle<()>>,
}

enum Call {
    Cut(Cut),
    CutAfter(Direction, u64, Cut),
    Listen(bool),
    Delay(Duration),
    Hold(Direction, bool),
    Inject(Direction, Vec<u8>),
    Aim(SocketAddr),
}

impl Proxy {
    /// A proxy on a free port of this machine, which connects each connection to that target.
    pub(crate) fn to(target: SocketAddr) -> Self {
        let shared = Arc::<Shared>::default();
        let (calls, received) = mpsc::unbounded_channel();
        let (tell_address, address) = oneshot::channel();
        let conductor_shared = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let conductor = Conductor::new(target, conductor_shared);
                tell_address.send(conductor.address).unwrap();
                conductor.conduct(received).await;
            });
        });
        let address = address.blocking_recv().unwrap();
        Self { address, shared, calls: Some(calls), thread: Some(thread) }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connects later connections to another target.
    pub(crate) fn aim(&self, target: SocketAddr) {
        self.call(Call::Aim(target));
    }

    /// Cuts all connections, and tells how many there were. What is on its way is lost.
    pub(crate) fn cut(&self, how: Cut) -> usize {
        self.call(Call::Cut(how))
    }

    /// Passes so many more bytes in a direction, and then cuts the connection that has more of them, once.
    pub(crate) fn cut_after(&self, direction: Direction, bytes: u64, how: Cut) {
        self.call(Call::CutAfter(direction, bytes, how));
    }

    /// Refuses new connections until [`accept`](Self::accept); the port stays the proxy's own.
    pub(crate) fn refuse(&self) {
        self.call(Call::Listen(false));
    }

    /// Accepts connections again.
    pub(crate) fn accept(&self) {
        self.call(Call::Listen(true));
    }

    /// Lets all bytes that come from now on be so long on their way, in each direction.
    pub(crate) fn delay(&self, delay: Duration) {
        self.call(Call::Delay(delay));
    }

    /// Keeps all connections open, accepts new ones, and passes nothing on in a direction, not even the end
    /// of a connection, until [`release`](Self::release). Nothing is lost.
    pub(crate) fn hold(&self, direction: Direction) {
        self.call(Call::Hold(direction, true));
    }

    /// Passes on what was held, and all that follows.
    pub(crate) fn release(&self, direction: Direction) {
        self.call(Call::Hold(direction, false));
    }

    /// Holds both directions: to each end the other one has vanished.
    pub(crate) fn black_hole(&self) {
        self.hold(Direction::There);
        self.hold(Direction::Back);
    }

    /// Ends a [`black_hole`](Self::black_hole).
    pub(crate) fn heal(&self) {
        self.release(Direction::There);
        self.release(Direction::Back);
    }

    /// Puts bytes into a direction of all connections, also where it is held, and tells how many they are.
    pub(crate) fn inject(&self, direction: Direction, bytes: &[u8]) -> usize {
        self.call(Call::Inject(direction, bytes.to_vec()))
    }

    /// What has passed so far.
    pub(crate) fn counts(&self) -> Counts {
        self.shared.state.lock().unwrap().counts
    }

    /// Waits until enough has passed.
    pub(crate) fn wait_until(&self, mut is_enough: impl FnMut(&Counts) -> bool) -> Counts {
        let state = self.shared.state.lock().unwrap();
        let waited = self.shared.changed.wait_timeout_while(state, PATIENCE, |s| !is_enough(&s.counts));
        let (state, timeout) = waited.unwrap();
        assert!(!timeout.timed_out(), "waited in vain: {:?}", state.counts);
        state.counts
    }

    fn call(&self, call: Call) -> usize {
        let (answer, answered) = oneshot::channel();
        self.calls.as_ref().unwrap().send((call, answer)).unwrap();
        answered.blocking_recv().expect("the proxy's thread has panicked")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.calls = None;
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || thread::panicking(), "the proxy's thread has panicked");
    }
}

impl<T> Index<Direction> for Each<T> {
    type Output = T;

    fn index(&self, direction: Direction) -> &T {
        &self.0[direction as usize]
    }
}

impl<T> Each<T> {
    fn of(&mut self, direction: Direction) -> &mut T {
        &mut self.0[direction as usize]
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    counts: Counts,
    /// After how many more bytes to cut, and how.
    cuts: Each<Option<(u64, Cut)>>,
}

impl Shared {
    fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.state.lock().unwrap().counts);
        self.changed.notify_all();
    }

    /// How many of so many bytes may pass, and how the connection ends behind them.
    fn allow(&self, direction: Direction, bytes: usize) -> (usize, Option<Cut>) {
        let mut state = self.state.lock().unwrap();
        let planned = state.cuts.of(direction);
        match planned {
            Some((left, how)) if *left < bytes as u64 => {
                let allowed = usize::try_from(*left).unwrap();
                let how = *how;
                *planned = None;
                (allowed, Some(how))
            }
            Some((left, _)) => {
                *left -= bytes as u64;
                (bytes, None)
            }
            None => (bytes, None),
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Rules {
    delay: Duration,
    held: Each<bool>,
}

/// Accepts connections, and carries out calls.
struct Conductor {
    address: SocketAddr,
    target: SocketAddr,
    listener: Option<TcpListener>,
    /// It is bound and does not listen: nobody else is given the port while there is no listener.
    place: TcpSocket,
    connections: Vec<Connection>,
    rules: watch::Sender<Rules>,
    shared: Arc<Shared>,
}

struct Connection {
    cut: oneshot::Sender<Cut>,
    injections: [mpsc::UnboundedSender<Vec<u8>>; 2],
    task: task::JoinHandle<()>,
}

impl Conductor {
    fn new(target: SocketAddr, shared: Arc<Shared>) -> Self {
        let place = TcpSocket::new_v4().unwrap();
        place.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = place.local_addr().unwrap();
        Self {
            address,
            target,
            listener: Some(listen(&place, address)),
            place,
            connections: Vec::new(),
            rules: watch::Sender::default(),
            shared,
        }
    }

    async fn conduct(mut self, mut calls: mpsc::UnboundedReceiver<(Call, oneshot::Sender<usize>)>) {
        loop {
            tokio::select! {
                biased;
                call = calls.recv() => {
                    let Some((call, answer)) = call else { return };
                    let _ = answer.send(self.carry_out(call).await);
                }
                accepted = accept(self.listener.as_ref()) => self.connect(accepted),
            }
            self.connections.retain(|connection| !connection.task.is_finished());
        }
    }

    async fn carry_out(&mut self, call: Call) -> usize {
        match call {
            Call::Cut(how) => return self.cut(how).await,
            Call::CutAfter(direction, bytes, how) => {
                *self.shared.state.lock().unwrap().cuts.of(direction) = Some((bytes, how));
            }
            Call::Listen(true) if self.listener.is_none() => {
                self.listener = Some(listen(&self.place, self.address));
            }
            Call::Listen(true) => {}
            Call::Listen(false) => self.listener.take().into_iter().for_each(stop_listening),
            Call::Delay(delay) => self.rules.send_modify(|rules| rules.delay = delay),
            Call::Hold(direction, holds) => {
                self.rules.send_modify(|rules| *rules.held.of(direction) = holds);
            }
            Call::Inject(direction, bytes) => {
                let lanes =
                    self.connections.iter().map(|connection| &connection.injections[direction as usize]);
                return lanes.filter(|lane| lane.send(bytes.clone()).is_ok()).count();
            }
            Call::Aim(target) => self.target = target,
        }
        0
    }

    async fn cut(&mut self, how: Cut) -> usize {
        let mut cut = 0;
        for connection in self.connections.drain(..) {
            cut += usize::from(connection.cut.send(how).is_ok());
            connection.task.await.unwrap();
        }
        cut
    }

    fn connect(&mut self, client: TcpStream) {
        let (cut, cuts) = oneshot::channel();
        let lane = |direction| {
            let (injections, injected) = mpsc::unbounded_channel();
            let (rules, shared) = (self.rules.subscribe(), Arc::clone(&self.shared));
            (injections, Lane { direction, injected, rules, shared })
        };
        let ((there_injections, there), (back_injections, back)) =
            (lane(Direction::There), lane(Direction::Back));
        let (target, shared) = (self.target, Arc::clone(&self.shared));
        shared.count(|counts| {
            counts.accepted += 1;
            counts.open += 1;
        });
        let task = task::spawn(async move {
            serve(client, target, there, back, cuts, &shared).await;
            shared.count(|counts| counts.open -= 1);
        });
        self.connections.push(Connection { cut, injections: [there_injections, back_injections], task });
    }
}

/// Listens at an address that a socket holds which does not listen. Only for that moment does it share the address: the
/// system gives a shared one to whoever asks for any, as long as nobody listens there.
fn listen(place: &TcpSocket, address: SocketAddr) -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    place.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    let listener = socket.listen(1024).unwrap();
    place.set_reuseaddr(false).unwrap();
    listener
}

/// Closing would not do: a program that another test starts at this moment has a copy of the listener until it runs, and
/// the system takes connections in for that.
fn stop_listening(listener: TcpListener) {
    let socket = std::net::TcpStream::from(OwnedFd::from(listener.into_std().unwrap()));
    socket.shutdown(std::net::Shutdown::Both).unwrap();
}

async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    match listener {
        Some(listener) => listener.accept().await.unwrap().0,
        None => pending().await,
    }
}

/// Passes on what comes over a connection until it ends at both ends or is cut.
async fn serve(
    mut client: TcpStream,
    target: SocketAddr,
    there: Lane,
    back: Lane,
    cuts: oneshot::Receiver<Cut>,
    shared: &Shared,
) {
    // A cut waits for it: a connection that is dropped half made ends in no certain way.
    let server = timeout(PATIENCE, TcpStream::connect(target)).await;
    let Ok(Ok(mut server)) = server else {
        shared.count(|counts| counts.unreached += 1);
        return close(&client, Cut::Rst);
    };
    let both = async {
        let ((client_read, client_write), (server_read, server_write)) = (client.split(), server.split());
        let ends =
            tokio::try_join!(there.pump(client_read, server_write), back.pump(server_read, client_write));
        ends.err().unwrap_or(Cut::Fin)
    };
    let how = tokio::select! {
        biased;
        how = cuts => how.unwrap_or(Cut::Rst),
        how = both => how,
    };
    close(&client, how);
    close(&server, how);
}

/// Prepares a socket for being dropped.
fn close(socket: &TcpStream, how: Cut) {
    match how {
        // A socket that is closed with bytes unread tells the other end an error.
        Cut::Fin => while socket.try_read(&mut [0; PIECE]).is_ok_and(|bytes| bytes > 0) {},
        Cut::Rst => drop(socket.set_zero_linger()),
    }
}

/// One direction of a connection.
struct Lane {
    direction: Direction,
    injected: mpsc::UnboundedReceiver<Vec<u8>>,
    rules: watch::Receiver<Rules>,
    shared: Arc<Shared>,
}

enum Item {
    Bytes(Vec<u8>),
    End,
    Broken,
}

impl Lane {
    /// Passes on what comes until it ends.
    async fn pump(self, from: ReadHalf<'_>, to: WriteHalf<'_>) -> Result<(), Cut> {
        let (queue, queued) = mpsc::channel(ON_THE_WAY);
        let reading = read(from, queue, self.rules.clone(), self.direction);
        tokio::select! {
            ended = self.write(to, queued) => ended,
            never = async { reading.await; pending().await } => never,
        }
    }

    async fn write(
        mut self,
        mut to: WriteHalf<'_>,
        mut queued: mpsc::Receiver<(Instant, Item)>,
    ) -> Result<(), Cut> {
        let (rules, direction) = (self.rules.clone(), self.direction);
        let mut next = None;
        loop {
            tokio::select! {
                biased;
                Some(bytes) = self.injected.recv() => {
                    to.write_all(&bytes).await.map_err(|_broken| Cut::Rst)?;
                    self.shared.count(|counts| *counts.injected.of(self.direction) += bytes.len() as u64);
                }
                item = queued.recv(), if next.is_none() => next = item,
                () = is_due(next.as_ref(), &rules, direction), if next.is_some() => match next.take() {
                    Some((_, Item::Bytes(bytes))) => self.pass(&mut to, &bytes).await?,
                    Some((_, Item::End)) => return to.shutdown().await.map_err(|_broken| Cut::Rst),
                    Some((_, Item::Broken)) | None => return Err(Cut::Rst),
                }
            }
        }
    }

    async fn pass(&self, to: &mut WriteHalf<'_>, bytes: &[u8]) -> Result<(), Cut> {
        let (allowed, cut) = self.shared.allow(self.direction, bytes.len());
        to.write_all(&bytes[..allowed]).await.map_err(|_broken| Cut::Rst)?;
        self.shared.count(|counts| *counts.passed.of(self.direction) += allowed as u64);
        cut.map_or(Ok(()), Err)
    }
}

/// Reads what comes, unless the direction is held: the sender's own buffers then fill up.
async fn read(
    mut from: ReadHalf<'_>,
    queue: mpsc::Sender<(Instant, Item)>,
    rules: watch::Receiver<Rules>,
    direction: Direction,
) {
    loop {
        released(rules.clone(), direction).await;
        let mut bytes = vec![0; PIECE];
        let item = match from.read(&mut bytes).await {
            Ok(0) => Item::End,
            Ok(count) => {
                bytes.truncate(count);
                Item::Bytes(bytes)
            }
            Err(_broken) => Item::Broken,
        };
        let is_last = !matches!(item, Item::Bytes(_));
        let delay = rules.borrow().delay;
        if queue.send((in_time(delay), item)).await.is_err() || is_last {
            return;
        }
    }
}

async fn is_due(next: Option<&(Instant, Item)>, rules: &watch::Receiver<Rules>, direction: Direction) {
    if let Some((due, _)) = next {
        sleep_until(*due).await;
    }
    released(rules.clone(), direction).await;
}

/// Waits until a direction is not held.
async fn released(mut rules: watch::Receiver<Rules>, direction: Direction) {
    if rules.wait_for(|rules| !rules.held[direction]).await.is_err() {
        // The proxy is being dropped, and nothing passes any more.
        pending::<()>().await;
    }
}

#[expect(clippy::disallowed_methods, reason = "a delay of real bytes takes real time")]
fn in_time(delay: Duration) -> Instant {
    Instant::now() + delay
}
