//! The proxy that other tests put between two processes does what it says.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::{Cut, Direction, Proxy};

cases!(
    bytes_pass_in_both_directions_and_are_counted,
    many_bytes_pass_while_nobody_reads_yet,
    a_cut_ends_all_connections_as_asked,
    the_target_finds_the_cut_too,
    a_cut_comes_after_so_many_bytes,
    new_connections_are_refused_until_they_are_accepted_again,
    a_delay_holds_back_and_keeps_the_order,
    a_black_hole_keeps_connections_and_loses_nothing,
    a_half_open_link_can_be_cut,
    injected_bytes_come_in_one_direction,
    a_target_that_is_gone_is_told_and_another_can_be_aimed_at,
    dropping_the_proxy_closes_everything,
);

/// A server that sends back what it gets, as long as the test runs.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut back = stream.try_clone().unwrap();
                let _ = std::io::copy(&mut stream, &mut back);
                let _ = back.shutdown(Shutdown::Write);
            });
        }
    });
    address
}

fn dial(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// Sends bytes, and demands that they come back.
fn assert_echoes(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).unwrap();
    assert_returns(stream, bytes);
}

fn assert_returns(stream: &mut TcpStream, bytes: &[u8]) {
    let mut found = vec![0; bytes.len()];
    stream.read_exact(&mut found).unwrap();
    assert!(found == bytes, "other bytes came back");
}

fn assert_silent(stream: &mut TcpStream) {
    stream.set_nonblocking(true).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    stream.set_nonblocking(false).unwrap();
}

fn how_it_ended(stream: &mut TcpStream) -> Result<usize, ErrorKind> {
    stream.read(&mut [0; 100]).map_err(|error| error.kind())
}

fn bytes_pass_in_both_directions_and_are_counted() {
    let proxy = Proxy::to(echo());
    let (mut one, mut two) = (dial(&proxy), dial(&proxy));
    assert_echoes(&mut one, b"hello");
    assert_echoes(&mut two, &[7; 1000]);
    let counts = proxy.wait_until(|counts| counts.passed[Direction::Back] == 1005);
    assert_eq!((counts.accepted, counts.open, counts.unreached), (2, 2, 0));
    assert_eq!(counts.passed[Direction::There], 1005);
    one.shutdown(Shutdown::Write).unwrap();
    assert_eq!(how_it_ended(&mut one), Ok(0), "the end of a stream passes there and back");
    proxy.wait_until(|counts| counts.open == 1);
}

fn many_bytes_pass_while_nobody_reads_yet() {
    let proxy = Proxy::to(echo());
    let stream = dial(&proxy);
    let bytes: Vec<u8> =
        (0..64u32 << 20).map(|number| number.to_le_bytes()[0] ^ number.to_le_bytes()[1]).collect();
    let (mut sends, mut receives) = (stream.try_clone().unwrap(), stream);
    thread::scope(|scope| {
        scope.spawn(|| sends.write_all(&bytes).unwrap());
        assert_returns(&mut receives, &bytes);
    });
}

fn a_cut_ends_all_connections_as_asked() {
    let proxy = Proxy::to(echo());
    for (how, ended) in [(Cut::Fin, Ok(0)), (Cut::Rst, Err(ErrorKind::ConnectionReset))] {
        let mut streams = [dial(&proxy), dial(&proxy)];
        streams.iter_mut().for_each(|stream| assert_echoes(stream, b"x"));
        assert_eq!(proxy.cut(how), 2);
        assert_eq!(proxy.counts().open, 0);
        streams.iter_mut().for_each(|stream| assert_eq!(how_it_ended(stream), ended));
        assert_eq!(proxy.cut(how), 0);
    }
    assert_echoes(&mut dial(&proxy), b"a later connection is not cut");
}

fn the_target_finds_the_cut_too() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::to(listener.local_addr().unwrap());
    for (how, ended) in [(Cut::Fin, Ok(0)), (Cut::Rst, Err(ErrorKind::ConnectionReset))] {
        let _client = dial(&proxy);
        let mut accepted = listener.accept().unwrap().0;
        assert_eq!(proxy.cut(how), 1);
        assert_eq!(how_it_ended(&mut accepted), ended);
    }
}

fn a_cut_comes_after_so_many_bytes() {
    let proxy = Proxy::to(echo());
    let mut stream = dial(&proxy);
    assert_echoes(&mut stream, b"before");
    proxy.cut_after(Direction::Back, 4, Cut::Fin);
    stream.write_all(b"0123456789").unwrap();
    let mut found = Vec::new();
    stream.read_to_end(&mut found).unwrap();
    assert_eq!(found, b"0123");
    let counts = proxy.wait_until(|counts| counts.open == 0);
    assert_eq!(counts.passed[Direction::Back], 10);
    assert_echoes(&mut dial(&proxy), b"once");

    proxy.cut_after(Direction::There, 3, Cut::Rst);
    let mut stream = dial(&proxy);
    assert_echoes(&mut stream, b"abc");
    stream.write_all(b"d").unwrap();
    assert_eq!(how_it_ended(&mut stream), Err(ErrorKind::ConnectionReset));
}

fn new_connections_are_refused_until_they_are_accepted_again() {
    let proxy = Proxy::to(echo());
    let mut earlier = dial(&proxy);
    assert_echoes(&mut earlier, b"x");
    for _ in 0..20 {
        proxy.refuse();
        let refused = TcpStream::connect(proxy.address()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let taken = TcpListener::bind(proxy.address()).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse, "the port stays the proxy's own");
        assert_echoes(&mut earlier, b"an earlier one stays");
        proxy.accept();
        assert_echoes(&mut dial(&proxy), b"again");
    }
    proxy.accept();
    assert_echoes(&mut dial(&proxy), b"twice is once");
}

fn a_delay_holds_back_and_keeps_the_order() {
    let proxy = Proxy::to(echo());
    let mut stream = dial(&proxy);
    assert_echoes(&mut stream, b"x");
    proxy.delay(Duration::from_millis(40));
    let begun = now();
    for byte in 0..100 {
        stream.write_all(&[byte]).unwrap();
    }
    assert_returns(&mut stream, &(0..100).collect::<Vec<u8>>());
    assert!(begun.elapsed() >= Duration::from_millis(80), "there and back: {:?}", begun.elapsed());
    proxy.delay(Duration::ZERO);
    assert_echoes(&mut stream, b"y");
}

fn a_black_hole_keeps_connections_and_loses_nothing() {
    let proxy = Proxy::to(echo());
    let (mut stream, mut leaves) = (dial(&proxy), dial(&proxy));
    assert_echoes(&mut stream, b"before");
    assert_echoes(&mut leaves, b"before");
    proxy.black_hole();
    stream.write_all(b"held").unwrap();
    leaves.shutdown(Shutdown::Write).unwrap();
    let mut later = dial(&proxy);
    later.write_all(b"later").unwrap();
    let counts = proxy.wait_until(|counts| counts.accepted == 3);
    assert_eq!((counts.open, counts.passed[Direction::There]), (3, 12));
    // A byte that was put in behind what is held comes first, and nothing else does.
    assert_eq!(proxy.inject(Direction::Back, b"!"), 3);
    for stream in [&mut stream, &mut leaves, &mut later] {
        assert_returns(stream, b"!");
        assert_silent(stream);
    }
    proxy.heal();
    assert_returns(&mut stream, b"held");
    assert_returns(&mut later, b"later");
    assert_eq!(how_it_ended(&mut leaves), Ok(0));
}

fn a_half_open_link_can_be_cut() {
    let proxy = Proxy::to(echo());
    let mut stream = dial(&proxy);
    assert_echoes(&mut stream, b"before");
    proxy.hold(Direction::Back);
    stream.write_all(b"lost").unwrap();
    proxy.wait_until(|counts| counts.passed[Direction::There] == 10);
    assert_silent(&mut stream);
    assert_eq!(proxy.cut(Cut::Fin), 1);
    assert_eq!(how_it_ended(&mut stream), Ok(0));
    proxy.release(Direction::Back);
    assert_eq!(proxy.counts().passed[Direction::Back], 6);
}

fn injected_bytes_come_in_one_direction() {
    let proxy = Proxy::to(echo());
    let mut stream = dial(&proxy);
    assert_echoes(&mut stream, b"x");
    assert_eq!(proxy.inject(Direction::There, b"garbage"), 1);
    assert_returns(&mut stream, b"garbage");
    assert_eq!(proxy.inject(Direction::Back, b"noise"), 1);
    assert_returns(&mut stream, b"noise");
    let counts = proxy.wait_until(|counts| counts.injected[Direction::Back] == 5);
    assert_eq!((counts.injected[Direction::There], counts.passed[Direction::There]), (7, 1));
    assert_eq!(counts.passed[Direction::Back], 8);
}

fn a_target_that_is_gone_is_told_and_another_can_be_aimed_at() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::to(listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(how_it_ended(&mut dial(&proxy)), Err(ErrorKind::ConnectionReset));
    proxy.wait_until(|counts| counts.unreached == 1 && counts.open == 0);
    proxy.aim(echo());
    assert_echoes(&mut dial(&proxy), b"x");
}

fn dropping_the_proxy_closes_everything() {
    let proxy = Proxy::to(echo());
    let mut stream = dial(&proxy);
    assert_echoes(&mut stream, b"x");
    proxy.black_hole();
    let address = proxy.address();
    drop(proxy);
    assert!(matches!(how_it_ended(&mut stream), Ok(0) | Err(ErrorKind::ConnectionReset)));
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[expect(clippy::disallowed_methods, reason = "a delay of real bytes takes real time")]
fn now() -> Instant {
    Instant::now()
}
