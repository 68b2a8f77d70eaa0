//! A secret typed at the terminal, without echo. Ctrl-C and Ctrl-D end it, and the terminal is as it was.

use std::io::{self, Write};

use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use crossterm::terminal;
use zeroize::Zeroizing;

/// A terminal that echoes nothing until it is dropped.
struct Quiet;

impl Quiet {
    fn new() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        Ok(Self)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // On every way out, a panic's too; who cannot mend the terminal cannot say so on it either.
        let _ = terminal::disable_raw_mode();
    }
}

/// Asks for a line that is not shown; `None` where the user leaves.
///
/// # Errors
/// Where there is no terminal to ask at.
pub(crate) fn ask(question: &str) -> io::Result<Option<Zeroizing<String>>> {
    let mut err = io::stderr();
    write!(err, "{question}")?;
    err.flush()?;
    let typed = {
        let _quiet = Quiet::new()?;
        typed()
    };
    writeln!(err)?;
    typed
}

fn typed() -> io::Result<Option<Zeroizing<String>>> {
    let mut text = Zeroizing::new(String::new());
    loop {
        let Event::Key(key) = event::read()? else {
            continue;
        };
        if key.kind == KeyEventKind::Release {
            continue;
        }
        match key.code {
            KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                return Ok(None);
            }
            KeyCode::Enter => return Ok(Some(text)),
            KeyCode::Esc => return Ok(None),
            KeyCode::Backspace => {
                text.pop();
            }
            KeyCode::Char(c) => text.push(c),
            _ => {}
        }
    }
}
