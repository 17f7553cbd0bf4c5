//! Opening and reading what people name: no file of theirs keeps the program waiting or fills its memory.
//!
//! A log must be a regular file: a pipe would keep whoever opens it waiting for somebody to write, and a device
//! may never end. A small file, such as a scenario or a key, may come through a pipe as well, as shells make it
//! of `<(command)`; then it is read within a time. Each has a longest length, which its reader tells.

use std::fs::{self, File, FileType, Metadata};
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The most bytes that come through a pipe: they are held in memory.
const LONGEST_PIPE: u64 = 64 << 20;

/// How long a pipe may take to bring a small file.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens a regular file for reading.
///
/// # Errors
///
/// Where it cannot be opened, or is no regular file; nothing else is ever opened.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    refuse_others(&fs::metadata(path)?)?;
    let file = File::open(path)?;
    // What was there may have been replaced meanwhile.
    refuse_others(&file.metadata()?)?;
    Ok(file)
}

/// Makes sure that something is a regular file.
///
/// # Errors
///
/// Where it is none: what it is instead.
pub(crate) fn refuse_others(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() { Ok(()) } else { Err(no_file(metadata.file_type())) }
}

/// Opens a regular file, or reads a pipe to its end, where that has at most `longest` bytes.
///
/// # Errors
///
/// Where it cannot be opened, is neither, or nobody writes to the pipe in time.
pub(crate) fn source(path: &Path, longest: u64) -> io::Result<Box<dyn BufRead>> {
    if is_pipe(fs::metadata(path)?.file_type()) {
        return Ok(Box::new(Cursor::new(within(PATIENCE, path, longest.min(LONGEST_PIPE))?)));
    }
    Ok(Box::new(BufReader::with_capacity(64 * 1024, open(path)?)))
}

/// Reads all that a source has.
///
/// # Errors
///
/// Where it cannot be read, has more than `longest` bytes, or the memory for them cannot be had.
fn read_all(source: impl Read, longest: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let mut source = source.take(longest.saturating_add(1));
    loop {
        content.try_reserve(64 * 1024).map_err(|_error| too_large(content.len() as u64))?;
        // No more than there is room for, so that the vector does not grow by itself.
        let room = (content.capacity() - content.len()) as u64;
        if source.by_ref().take(room).read_to_end(&mut content)? == 0 {
            break;
        }
    }
    // One byte more than it may have was asked for, which tells what is too long from what has just that length.
    if content.len() as u64 > longest { Err(too_long(longest)) } else { Ok(content) }
}

/// What is said of something that is longer than it may be.
pub(crate) fn too_long(longest: u64) -> io::Error {
    let size = if longest >= 1 << 20 {
        format!("{} MB", longest >> 20)
    } else if longest >= 1 << 10 {
        format!("{} KB", longest >> 10)
    } else {
        format!("{longest} bytes")
    };
    io::Error::new(ErrorKind::FileTooLarge, format!("it is longer than {size}, the most that it can be"))
}

/// What is said where there is no memory for what has been read.
pub(crate) fn too_large(bytes: u64) -> io::Error {
    io::Error::new(
        ErrorKind::OutOfMemory,
        format!("there is no memory for more than {} MB of it", bytes >> 20),
    )
}

/// Reads from a pipe, unless that takes too long. Opening it waits as well: until somebody writes to it.
fn within(patience: Duration, path: &Path, longest: u64) -> io::Result<Vec<u8>> {
    let (told, hears) = mpsc::channel();
    let path = path.to_owned();
    thread::Builder::new().name("pipe".into()).spawn(move || {
        // Nobody hears it where it took too long.
        let _ = told.send(File::open(path).and_then(|pipe| read_all(pipe, longest)));
    })?;
    hears.recv_timeout(patience).unwrap_or_else(|_error| {
        let seconds = patience.as_secs();
        Err(io::Error::new(
            ErrorKind::TimedOut,
            format!("it is a pipe to which nobody has written a whole file within {seconds} s"),
        ))
    })
}

fn no_file(found: FileType) -> io::Error {
    let what = if found.is_dir() {
        return io::Error::new(ErrorKind::IsADirectory, "it is a folder, not a file");
    } else if is_pipe(found) {
        "a pipe"
    } else if is_socket(found) {
        "a socket"
    } else {
        "a device"
    };
    io::Error::new(ErrorKind::InvalidInput, format!("it is {what}, not a file"))
}

#[cfg(unix)]
fn is_pipe(found: FileType) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&found)
}

#[cfg(unix)]
fn is_socket(found: FileType) -> bool {
    std::os::unix::fs::FileTypeExt::is_socket(&found)
}

#[cfg(not(unix))]
fn is_pipe(_found: FileType) -> bool {
    false
}

#[cfg(not(unix))]
fn is_socket(_found: FileType) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn read(path: &Path, longest: u64) -> io::Result<Vec<u8>> {
        read_all(source(path, longest)?, longest)
    }

    fn said<T: std::fmt::Debug>(result: io::Result<T>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_file_is_named_and_never_opened() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        assert_eq!(said(open(folder.path())), "it is a folder, not a file");
        assert_eq!(said(open(&socket)), "it is a socket, not a file");
        for read in [said(open(Path::new("/dev/zero"))), said(read(Path::new("/dev/zero"), 100))] {
            assert_eq!(read, "it is a device, not a file");
        }
        assert_eq!(said(read(folder.path(), 100)), "it is a folder, not a file");
        assert_eq!(open(&folder.path().join("none")).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_file_has_a_longest_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, [7; 100]).unwrap();
        assert_eq!(read(&path, 100).unwrap(), [7; 100]);
        assert_eq!(said(read(&path, 99)), "it is longer than 99 bytes, the most that it can be");
        assert_eq!(read_all(&[7; 100][..], 100).unwrap(), [7; 100]);
        assert_eq!(said(read_all(io::repeat(7), 3 << 20)), "it is longer than 3 MB, the most that it can be");
        assert_eq!(read_all(io::repeat(7).take(1 << 20), 1 << 20).unwrap().len(), 1 << 20);
    }

    #[test]
    fn a_pipe_is_read_to_its_end_or_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert_eq!(said(open(&path)), "it is a pipe, not a file");
        let nobody = said(within(Duration::from_millis(1), &path, 100));
        assert!(nobody.starts_with("it is a pipe to which nobody has written"), "{nobody}");
        // The one that was given up still waits; two readers share what is written, so this one has its own.
        let other = folder.path().join("other");
        assert!(std::process::Command::new("mkfifo").arg(&other).status().unwrap().success());
        let writer = thread::spawn({
            let other = other.clone();
            move || fs::write(other, "vms = 3\n")
        });
        assert_eq!(read(&other, 100).unwrap(), b"vms = 3\n");
        writer.join().unwrap().unwrap();
    }
}
