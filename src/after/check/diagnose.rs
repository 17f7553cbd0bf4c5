//! A second look at the logs, for messages that were received and were not on their way: why they were not.

use std::collections::{HashMap, HashSet};

use super::fault::{FaultKind, Faults};
use crate::after::history::HistoryError;
use crate::edge::log::{EventKind, LogPath, ReadError, Row};
use crate::model::event::MessageId;
use crate::model::id::VmId;

/// What the logs say of one message.
#[derive(Debug, Default)]
struct Traces {
    /// The row of the event that is to have sent it, and where it is.
    send: Option<(Row, String)>,
    /// Where each machine received it, in the order of its rows.
    receives: HashMap<VmId, Vec<String>>,
}

/// Says why the faults' unknown messages were not on their way.
pub(super) fn diagnose(names: &[LogPath], faults: &mut Faults) -> Result<(), HistoryError> {
    let wanted: HashSet<MessageId> = faults.unknown().map(|(message, _)| message).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let mut found = HashMap::<MessageId, Traces>::new();
    for name in names {
        look(name, &wanted, &mut found)?;
    }
    faults.diagnose(|message, receiver| reason(message, receiver, found.get(&message)));
    Ok(())
}

fn look(
    name: &LogPath,
    wanted: &HashSet<MessageId>,
    found: &mut HashMap<MessageId, Traces>,
) -> Result<(), HistoryError> {
    // What cannot be read was told before.
    let Ok(mut reader) = name.open() else { return Ok(()) };
    loop {
        let row = match reader.next_row() {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(()),
            Err(error @ ReadError::Read { .. }) => return Err(error.into()),
            Err(_) => continue,
        };
        let place = || format!("{}:{}", name.path.display(), row.line);
        let own = MessageId { sender: row.vm, event: row.event };
        if wanted.contains(&own) {
            found.entry(own).or_default().send.get_or_insert_with(|| (row.clone(), place()));
        }
        if let Some(message) =
            row.message.filter(|message| row.kind == EventKind::Receive && wanted.contains(message))
        {
            found.entry(message).or_default().receives.entry(row.vm).or_default().push(place());
        }
    }
}

fn reason(message: MessageId, receiver: VmId, found: Option<&Traces>) -> (FaultKind, String) {
    let Some((row, place)) = found.and_then(|found| found.send.as_ref()) else {
        return (
            FaultKind::NotSent,
            "a message that was sent; there is no such event in the logs".to_owned(),
        );
    };
    if row.kind != EventKind::Send {
        let expected = format!("a message that was sent; event {message} is of kind {} ({place})", row.kind);
        return (FaultKind::NotSent, expected);
    }
    if !row.peers.contains(&receiver) {
        let peers: Vec<String> = row.peers.iter().map(VmId::to_string).collect();
        let expected =
            format!("a message to machine {receiver}; it was sent to {} ({place})", peers.join(","));
        return (FaultKind::NotHere, expected);
    }
    if row.lost.contains(&receiver) {
        let expected =
            format!("a message that arrived; the network lost it for machine {receiver} ({place})");
        return (FaultKind::Lost, expected);
    }
    let earlier = found.and_then(|found| found.receives.get(&receiver)).and_then(|places| places.first());
    let earlier = earlier.map(|earlier| format!("; it was received at {earlier}")).unwrap_or_default();
    let times = if row.duplicated.contains(&receiver) { "twice" } else { "once" };
    (
        FaultKind::TooOften,
        format!("a message that is still on its way; it was delivered {times} ({place}){earlier}"),
    )
}
