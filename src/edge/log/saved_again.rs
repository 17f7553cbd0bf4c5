//! A summary or a bridge's log that another program has saved again: its cells as they were written, so that the
//! checksum of what was written tells whether they still say the same.

use std::io::{self, Read, Write};

use super::reader::{otherwise, seconds, separator_of, whole};
use super::{bridge, summary};

/// How many bytes the file had, and the checksum of these, where its cells mean what they meant. `bytes` is what was
/// written: a program that saves a file again makes it larger by some bytes a cell at most.
///
/// # Errors
///
/// Where it cannot be read, is no such file, or has a cell that cannot be.
pub(crate) fn as_written(source: impl Read, bytes: u64) -> io::Result<(u64, u32)> {
    const MOST_GROWTH: u64 = 8;
    let mut content = Vec::new();
    let longest = bytes.saturating_mul(MOST_GROWTH).saturating_add(1 << 16);
    source.take(longest).read_to_end(&mut content)?;
    let text = content.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&content);
    let header = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut reader =
        csv::ReaderBuilder::new().delimiter(separator_of(header)).has_headers(false).from_reader(text);
    let mut written = Checksum::default();
    let mut places = Vec::new();
    let mut writer = csv::Writer::from_writer(&mut written);
    for record in reader.byte_records() {
        let record = record?;
        if places.is_empty() {
            places = places_in(&record).ok_or_else(odd)?;
            writer.write_record(places.iter().map(|(column, _)| column))?;
            continue;
        }
        for (column, place) in &places {
            let cell = record.get(*place).unwrap_or_default();
            let cell = str::from_utf8(cell).map_err(|_utf8_error| odd())?;
            writer.write_field(cell_as_written(column, cell).ok_or_else(odd)?)?;
        }
        writer.write_record(None::<&[u8]>)?;
    }
    drop(writer);
    Ok((written.bytes, written.checksum))
}

fn odd() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// The columns as they were written and where they are now.
fn places_in(header: &csv::ByteRecord) -> Option<Vec<(String, usize)>> {
    let of_bridge = bridge::COLUMNS.map(str::to_owned).to_vec();
    let of_summary = summary::columns(&summary::clocks_of(header));
    let before_crashes = of_summary.iter().filter(|column| *column != summary::CRASHED).cloned().collect();
    [of_summary, before_crashes, of_bridge].into_iter().find_map(|columns: Vec<String>| {
        let place = |column: &str| header.iter().position(|name| name == column.as_bytes());
        columns.into_iter().map(|column| place(&column).map(|place| (column, place))).collect()
    })
}

fn cell_as_written(column: &str, cell: &str) -> Option<String> {
    Some(match column {
        "what" | "address" | "reason" => cell.to_owned(),
        _ if cell.is_empty() => String::new(),
        "elapsed_s" => {
            let (seconds, nanos) = seconds(cell.as_bytes())?.split();
            format!("{seconds}.{nanos:09}")
        }
        "system_time" => format!("{:.6}", otherwise(cell)?),
        "rate" => decimal(cell)?.to_string(),
        _ if cell.starts_with('[') => cell.replace(' ', "").replace(".0", ""),
        _ if column.ends_with("_mean") || column.ends_with("_ms") => format!("{:.6}", decimal(cell)?),
        _ => match cell.strip_prefix('-') {
            Some(cell) => format!("-{}", whole(cell.as_bytes())?),
            None => whole(cell.as_bytes())?.to_string(),
        },
    })
}

fn decimal(cell: &str) -> Option<f64> {
    cell.replace(',', ".").parse().ok()
}

/// Counts what is written to it.
#[derive(Default)]
struct Checksum {
    bytes: u64,
    checksum: u32,
}

impl Write for Checksum {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.bytes += text.len() as u64;
        self.checksum = crc32c::crc32c_append(self.checksum, text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
