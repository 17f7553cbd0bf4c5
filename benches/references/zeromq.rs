//! ZeroMQ's push and pull over TCP. It keeps the order, and loses what was under way when a connection breaks.

#![allow(unreachable_pub, reason = "a module of a bench")]

use std::time::Instant;

use crate::peer::{self, Peer};

/// One socket that pushes, and a process that pulls and tells when it has as many as were announced.
pub struct Push {
    peer: Peer,
    socket: zmq::Socket,
    message: Vec<u8>,
    next: u64,
}

impl Push {
    /// Messages of so many bytes. At both ends so many of them may wait; ZeroMQ's own choice where none is given.
    pub fn start(bytes: usize, queue: Option<i32>) -> Self {
        let words = [bytes.to_string(), queue.unwrap_or(0).to_string()];
        let mut peer = Peer::start(&["zeromq-count", &words[0], &words[1]]);
        let socket = socket(zmq::PUSH, queue);
        socket.connect(&peer.hear()).expect("the peer listens");
        Self { peer, socket, message: vec![0; bytes.max(16)], next: 0 }
    }

    /// Nanoseconds a message until the peer tells that it has all of them.
    pub fn stream(&mut self, messages: u64) -> f64 {
        let begun = Instant::now();
        for left in (0..messages).rev() {
            self.next += 1;
            self.message[..8].copy_from_slice(&self.next.to_le_bytes());
            self.message[8..16].copy_from_slice(&left.to_le_bytes());
            self.socket.send(&self.message[..], 0).expect("the peer pulls");
        }
        self.peer.hear();
        begun.elapsed().as_nanos() as f64 / messages as f64
    }
}

/// The other end of [`Push`].
pub fn count(words: &[String]) {
    let number = |at: usize| words[at].parse::<i32>().expect("a number");
    let socket = socket(zmq::PULL, Some(number(1)).filter(|queue| *queue > 0));
    socket.bind("tcp://127.0.0.1:*").expect("a port is free");
    peer::say(socket.get_last_endpoint().expect("a socket").expect("a text"));
    let mut message = vec![0; 64.max(words[0].parse().expect("a number"))];
    let mut next = 0;
    // The process that measures ends this one.
    while socket.recv_into(&mut message, 0).is_ok() {
        next += 1;
        assert_eq!(message[..8], u64::to_le_bytes(next), "a message out of its place");
        if message[8..16] == [0; 8] {
            peer::say("all");
        }
    }
}

fn socket(kind: zmq::SocketType, queue: Option<i32>) -> zmq::Socket {
    let socket = zmq::Context::new().socket(kind).expect("a socket");
    socket.set_linger(0).expect("an option");
    if let Some(queue) = queue {
        socket.set_sndhwm(queue).and_then(|()| socket.set_rcvhwm(queue)).expect("an option");
    }
    socket
}
