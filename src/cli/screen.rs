//! The terminal while a view has it: raw mode and the alternate screen, entered, left, and given back whatever
//! happens.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::panic;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen};
use ratatui::crossterm::{execute, queue};
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::getpgrp;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr};

/// Who has the terminal. Whoever draws holds it, so that nothing is drawn once it has been given back.
static OWNER: Mutex<Owner> = Mutex::new(Owner::Shell);

enum Owner {
    /// Whoever started this program, as long as the view does not take it.
    Shell,
    /// The view; this is what to give back.
    View(Before),
    /// Whoever started this program, for good.
    Returned,
}

/// A terminal's modes before the view took it.
struct Before {
    input: Arc<OwnedFd>,
    modes: Termios,
}

/// A terminal to draw on and to read keys from.
pub(super) struct Screen {
    input: Arc<OwnedFd>,
    terminal: Terminal<CrosstermBackend<Page>>,
    area: Rect,
}

/// What came from the terminal.
pub(super) enum Input {
    /// Bytes; none where nothing was typed in time.
    Bytes(Vec<u8>),
    /// The terminal is gone.
    Gone,
}

impl Screen {
    /// The terminal of this process, untouched as yet.
    ///
    /// # Errors
    ///
    /// What is missing.
    pub(super) fn new() -> Result<Self, String> {
        if !io::stderr().is_terminal() {
            return Err("it draws on the standard error, which is no terminal here".into());
        }
        if std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb") {
            return Err("it needs a terminal that can draw, and TERM says that this one cannot".into());
        }
        let input = open_input().map_err(|error| format!("it reads keys from a terminal: {error}"))?;
        let area = size();
        let terminal = blank(area).map_err(|error| error.to_string())?;
        Ok(Self { input: Arc::new(input), terminal, area })
    }

    /// Takes the terminal, as often as this is asked for.
    pub(super) fn enter(&mut self) -> io::Result<()> {
        give_back_at_panics();
        let mut owner = owner();
        if !matches!(*owner, Owner::Shell) {
            return Ok(());
        }
        let modes = tcgetattr(&*self.input)?;
        let mut raw = modes.clone();
        raw.make_raw();
        tcsetattr(&*self.input, OptionalActions::Now, &raw)?;
        *owner = Owner::View(Before { input: Arc::clone(&self.input), modes });
        execute!(io::stderr(), EnterAlternateScreen, Hide)?;
        drop(owner);
        self.forget()
    }

    /// Draws all of it with the next drawing.
    pub(super) fn forget(&mut self) -> io::Result<()> {
        self.terminal = blank(self.area)?;
        queue!(self.terminal.backend_mut(), Clear(ClearType::All))
    }

    /// Draws what has changed.
    pub(super) fn draw(&mut self, draw: impl FnOnce(Rect, &mut Buffer)) -> io::Result<()> {
        let area = size();
        if area != self.area {
            self.area = area;
            self.forget()?;
        }
        self.terminal.draw(|frame| draw(frame.area(), frame.buffer_mut())).map(drop)
    }

    /// What is typed within that time.
    pub(super) fn wait(&self, time: Duration) -> io::Result<Input> {
        let mut fds = [PollFd::new(&*self.input, PollFlags::IN)];
        let time = Timespec { tv_sec: 0, tv_nsec: time.subsec_nanos().into() };
        match poll(&mut fds, Some(&time)) {
            Err(error) if error != rustix::io::Errno::INTR => return Err(error.into()),
            Err(_) | Ok(0) => return Ok(Input::Bytes(Vec::new())),
            Ok(_) => {}
        }
        let mut bytes = vec![0; 256];
        match rustix::io::read(&*self.input, &mut bytes) {
            Ok(0) => Ok(Input::Gone),
            Ok(count) => {
                bytes.truncate(count);
                Ok(Input::Bytes(bytes))
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Ok(Input::Bytes(Vec::new())),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether this process may use its terminal: the shell may have put it into the background.
    pub(super) fn is_in_foreground(&self) -> bool {
        is_in_foreground(&self.input)
    }
}

/// What draws on an empty screen. It is made anew for each: clearing asks the terminal where its cursor is, and waits
/// for the answer among what is typed.
fn blank(area: Rect) -> io::Result<Terminal<CrosstermBackend<Page>>> {
    let options = TerminalOptions { viewport: Viewport::Fixed(area) };
    Terminal::with_options(CrosstermBackend::new(Page::default()), options)
}

/// Gives the terminal back, until the view takes it again.
pub(super) fn leave() {
    leave_to(Owner::Shell);
}

/// Gives the terminal back for good.
pub(super) fn give_back() {
    leave_to(Owner::Returned);
}

fn leave_to(next: Owner) {
    let mut owner = owner();
    if let Owner::View(Before { input, modes }) = std::mem::replace(&mut *owner, next) {
        // Where the terminal is gone there is nothing to give back.
        let _ = execute!(io::stderr(), LeaveAlternateScreen, Show);
        // From the background it would stop the process, and there the shell has set its own.
        if is_in_foreground(&input) {
            let _ = tcsetattr(&*input, OptionalActions::Now, &modes);
        }
    }
}

/// A terminal that does not control this process does not stop it either.
fn is_in_foreground(input: &OwnedFd) -> bool {
    tcgetpgrp(input).map_or(true, |group| group == getpgrp())
}

fn owner() -> MutexGuard<'static, Owner> {
    OWNER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A panic's message is to be read, so the terminal is given back before it is told.
fn give_back_at_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            give_back();
            hook(info);
        }));
    });
}

/// The standard input may be something else, while there is a terminal all the same.
fn open_input() -> io::Result<OwnedFd> {
    if io::stdin().is_terminal() {
        return io::stdin().as_fd().try_clone_to_owned();
    }
    File::open("/dev/tty").map(OwnedFd::from)
}

/// Terminals that do not tell their size are as they have always been.
fn size() -> Rect {
    let (columns, lines) = match tcgetwinsize(io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
        _ => (80, 24),
    };
    Rect::new(0, 0, columns, lines)
}

/// What is to be drawn, until it is complete; then it goes to the terminal in one piece, if the view has that.
#[derive(Debug, Default)]
struct Page(Vec<u8>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        let owner = owner();
        let page = std::mem::take(&mut self.0);
        match *owner {
            Owner::View(_) => io::stderr().lock().write_all(&page),
            Owner::Shell | Owner::Returned => Ok(()),
        }
    }
}
