//! `--tui`: a thread of its own shows a live run on the terminal, and hears the keys.
//!
//! The run does not know it: it goes on while the view is drawn, stands still or waits for the terminal.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGCONT, SIGINT, SIGTSTP};
use signal_hook::low_level;

use super::complain;
use super::keys::keys;
use super::progress::Bar;
use super::screen::{self, Input, Screen};
use crate::edge::control::{Observer, Progress, Stop};
use crate::edge::watch::Watch;
use crate::model::time::Nanos;
use crate::show::view::{KeyAction, View};

/// Time between two drawings.
const FRAME: Duration = Duration::from_millis(66);

/// How long the end of a run waits for the terminal to be given back by the thread that draws.
const PATIENCE: Duration = Duration::from_secs(2);

/// Watches a run, or several one after the other, on the terminal; once the view is left, with a progress bar.
pub(super) struct Viewer {
    watch: Watch,
    board: Arc<Board>,
    /// Ends when the view has been left.
    left: Receiver<()>,
    duration: Nanos,
    bar: Option<Bar>,
}

/// What the thread of the run and that of the view tell each other.
#[derive(Default)]
struct Board {
    is_over: AtomicBool,
    /// What people should know, and has not been printed.
    notices: Mutex<Vec<String>>,
    is_continued: Arc<AtomicBool>,
    is_suspended: Arc<AtomicBool>,
    /// From now on signals of the terminal have their ordinary effect.
    has_left: Arc<AtomicBool>,
}

impl Viewer {
    /// Shows what there is to see of runs that take so long in all.
    pub(super) fn start(screen: Screen, runs: Option<u32>, duration: Nanos, stop: Stop) -> io::Result<Self> {
        let (watch, board) = (Watch::default(), Arc::<Board>::default());
        let (leaves, left) = mpsc::channel();
        board.hear_signals()?;
        let has_colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let show = Show {
            screen,
            view: View::new(runs, has_colours),
            watch: watch.clone(),
            board: Arc::clone(&board),
            stop,
            told: 0,
        };
        thread::Builder::new().name("view".to_owned()).spawn(move || show.run(leaves))?;
        Ok(Self { watch, board, left, duration, bar: None })
    }

    /// The bar that takes the view's place, once that has been left.
    fn bar(&mut self) -> Option<&mut Bar> {
        if self.bar.is_none() && self.left.try_recv() == Err(mpsc::TryRecvError::Disconnected) {
            let mut bar = Bar::new(self.duration, false);
            self.board.take_notices().iter().for_each(|notice| bar.notice(notice));
            self.bar = Some(bar);
        }
        self.bar.as_mut()
    }
}

impl Observer for Viewer {
    fn progress(&mut self, progress: &Progress) {
        if let Some(bar) = self.bar() {
            bar.progress(progress);
        }
    }

    fn notice(&mut self, text: &str) {
        match self.bar() {
            Some(bar) => bar.notice(text),
            None => self.board.notices().push(text.to_owned()),
        }
    }

    fn watch(&self) -> Option<Watch> {
        Some(self.watch.clone())
    }
}

/// Ends the view, and prints what it could not leave on the terminal.
impl Drop for Viewer {
    fn drop(&mut self) {
        self.board.is_over.store(true, Ordering::Relaxed);
        if self.left.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            // The terminal takes nothing.
            screen::give_back();
        }
        for notice in self.board.take_notices() {
            complain(&notice);
        }
    }
}

impl Board {
    /// The terminal is given back before the process is stopped, and taken again when it goes on.
    fn hear_signals(&self) -> io::Result<()> {
        let flag = |signal, flag: &Arc<AtomicBool>| signal_hook::flag::register(signal, Arc::clone(flag));
        signal_hook::flag::register_conditional_default(SIGTSTP, Arc::clone(&self.has_left))?;
        flag(SIGTSTP, &self.is_suspended)?;
        flag(SIGCONT, &self.is_continued)?;
        Ok(())
    }

    fn notices(&self) -> MutexGuard<'_, Vec<String>> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_notices(&self) -> Vec<String> {
        std::mem::take(&mut *self.notices())
    }
}

/// The thread of the view.
struct Show {
    screen: Screen,
    view: View,
    watch: Watch,
    board: Arc<Board>,
    stop: Stop,
    /// Notices that have been shown.
    told: usize,
}

/// Whatever happens to the view, the terminal is given back, and then whoever waits for it may go on.
struct Farewell {
    board: Arc<Board>,
    watch: Watch,
    _leaves: Sender<()>,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        screen::give_back();
        self.board.has_left.store(true, Ordering::Relaxed);
        if let Some(scene) = self.watch.scene() {
            scene.look_away();
        }
    }
}

impl Show {
    fn run(mut self, leaves: Sender<()>) {
        let farewell =
            Farewell { board: Arc::clone(&self.board), watch: self.watch.clone(), _leaves: leaves };
        let shown = self.show();
        drop(farewell);
        if let Err(error) = shown {
            self.board.notices().push(format!("the view was left: {error}"));
        }
    }

    /// Shows the run until it is over or the view is left.
    fn show(&mut self) -> io::Result<()> {
        while !self.board.is_over.load(Ordering::Relaxed) {
            if self.board.is_suspended.swap(false, Ordering::Relaxed) {
                suspend()?;
            }
            if self.board.is_continued.swap(false, Ordering::Relaxed) {
                // Whoever stopped the process may have set the terminal's modes.
                screen::leave();
            }
            if !self.screen.is_in_foreground() {
                screen::leave();
                thread::park_timeout(FRAME);
                continue;
            }
            self.screen.enter()?;
            self.draw()?;
            match self.screen.wait(FRAME)? {
                Input::Gone => return Ok(()),
                Input::Bytes(bytes) => {
                    for key in keys(&bytes) {
                        let action = self.view.press(key);
                        if action.is_some_and(|action| self.act(action) == Leaves::Yes) {
                            return Ok(());
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn draw(&mut self) -> io::Result<()> {
        if let Some(scene) = self.watch.scene() {
            self.view.look_at(&scene);
        }
        if self.stop.asked() {
            self.view.end();
        }
        let notices = self.board.notices();
        if notices.len() > self.told {
            self.told = notices.len();
            self.view.tell(notices.last().cloned().unwrap_or_default());
        }
        drop(notices);
        let Self { screen, view, .. } = self;
        screen.draw(|area, buffer| view.draw(area, buffer))
    }

    fn act(&mut self, action: KeyAction) -> Leaves {
        match action {
            KeyAction::Leave => return Leaves::Yes,
            KeyAction::End | KeyAction::Interrupt => {
                self.view.end();
                // As Ctrl+C elsewhere: the signal's thread asks the run to stop.
                let _ = low_level::raise(SIGINT);
            }
            KeyAction::Suspend => self.board.is_suspended.store(true, Ordering::Relaxed),
            KeyAction::Redraw => drop(self.screen.forget()),
        }
        Leaves::No
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaves {
    Yes,
    No,
}

/// Stops the process as its terminal's key does elsewhere, until it is told to go on.
fn suspend() -> io::Result<()> {
    screen::leave();
    low_level::emulate_default_handler(SIGTSTP)
}
