//! Columns that have to be empty, filled or alike in an event of its kind.

use crate::edge::log::{Column, EventKind, Row, json_list as list};
use crate::model::event::MessageId;
use crate::model::id::VmId;

/// A cell that does not belong to an event of that kind: what stands there, and what should.
pub(super) type WrongCell = (Column, String, String);

/// The cells of a row that do not fit its kind. Of a machine's number it knows that it is below `vms`.
pub(super) fn wrong_cells(row: &Row, has_stamps: bool, vms: Option<u32>) -> Vec<WrongCell> {
    let mut wrong = Vec::new();
    match row.kind {
        EventKind::Internal => internal(row, &mut wrong),
        EventKind::Send => send(row, vms, &mut wrong),
        EventKind::Receive => receive(row, has_stamps, &mut wrong),
    }
    wrong
}

fn internal(row: &Row, wrong: &mut Vec<WrongCell>) {
    nothing(row, Column::Peers, &row.peers, wrong);
    if let Some(message) = row.message {
        wrong.push((Column::Message, message.to_string(), nothing_in(row)));
    }
    no_stamp(row, wrong);
    nothing(row, Column::Lost, &row.lost, wrong);
    nothing(row, Column::Duplicated, &row.duplicated, wrong);
    if !row.payload.is_empty() {
        wrong.push((Column::Payload, row.payload.clone(), nothing_in(row)));
    }
}

fn send(row: &Row, vms: Option<u32>, wrong: &mut Vec<WrongCell>) {
    wrong.extend(wrong_recipients(row, vms));
    let own = MessageId { sender: row.vm, event: row.event };
    if row.message != Some(own) {
        let found = row.message.map(|message| message.to_string()).unwrap_or_default();
        wrong.push((Column::Message, found, format!("{own}, the machine and the event's number")));
    }
    no_stamp(row, wrong);
    for (column, some) in [(Column::Lost, &row.lost), (Column::Duplicated, &row.duplicated)] {
        if let Some(vm) = some.iter().find(|vm| !row.peers.contains(vm)) {
            let expected = format!("some of the recipients {}; machine {vm} is none", list(&row.peers));
            wrong.push((column, list(some), expected));
        }
    }
    if let Some(vm) = row.lost.iter().find(|vm| row.duplicated.contains(vm)) {
        let expected = format!("recipients to which it was delivered; for machine {vm} it was lost");
        wrong.push((Column::Duplicated, list(&row.duplicated), expected));
    }
}

fn receive(row: &Row, has_stamps: bool, wrong: &mut Vec<WrongCell>) {
    match row.message {
        None => wrong.push((Column::Message, String::new(), "the message that is received".to_owned())),
        Some(message) if row.peers != [message.sender] => {
            let expected = format!("{}, the sender of message {message}", message.sender);
            wrong.push((Column::Peers, list(&row.peers), expected));
        }
        Some(_) => {}
    }
    if has_stamps && row.sender_lamport.is_none() {
        let expected = "the Lamport clock that came with the message".to_owned();
        wrong.push((Column::SenderLamport, String::new(), expected));
    }
    nothing(row, Column::Lost, &row.lost, wrong);
    nothing(row, Column::Duplicated, &row.duplicated, wrong);
}

fn no_stamp(row: &Row, wrong: &mut Vec<WrongCell>) {
    if let Some(stamp) = row.sender_lamport {
        wrong.push((Column::SenderLamport, stamp.to_string(), nothing_in(row)));
    }
}

fn nothing(row: &Row, column: Column, vms: &[VmId], wrong: &mut Vec<WrongCell>) {
    if !vms.is_empty() {
        wrong.push((column, list(vms), nothing_in(row)));
    }
}

fn nothing_in(row: &Row) -> String {
    format!("nothing, as the event is of kind {}", row.kind)
}

/// Recipients are other machines of the run, each named once.
fn wrong_recipients(row: &Row, vms: Option<u32>) -> Option<WrongCell> {
    let peers = &row.peers;
    let comes_twice = || peers.iter().enumerate().any(|(index, vm)| peers[..index].contains(vm));
    let expected = if peers.is_empty() {
        "the recipients".to_owned()
    } else if peers.contains(&row.vm) {
        "other machines than the sender".to_owned()
    } else if let Some(vms) = vms.filter(|vms| peers.iter().any(|vm| vm.0 >= *vms)) {
        format!("machines from 0 to {}", vms - 1)
    } else if comes_twice() {
        "each recipient once".to_owned()
    } else {
        return None;
    };
    Some((Column::Peers, list(peers), expected))
}
