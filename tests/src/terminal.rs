//! What a command shows on a terminal: run in one of its own, and what is on the screen of it in the end.

use std::process::{Command, Stdio};

use crate::Home;
use crate::command::transship;

/// A command on a terminal of 120 columns, which `script` makes. Its standard output is what the terminal gets.
pub fn on_terminal(home: &Home, arguments: &str) -> Command {
    let mut command = Command::new("script");
    command.args(["-qec", &format!("stty cols 120; exec '{}' {arguments}", transship().display()), "/dev/null"]);
    command.env("TRANSSHIP_HOME", home.path()).env("TERM", "xterm").env_remove("NO_COLOR").current_dir(home.scratch());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The lines on the screen after a terminal got this; empty ones are left out.
///
/// # Panics
/// If the text moves the cursor in a way that is not known here.
pub fn screen(text: &str) -> Vec<String> {
    let (mut lines, mut row, mut column) = (vec![Vec::new()], 0_usize, 0_usize);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\r' => column = 0,
            '\n' => row += 1,
            '\u{1b}' => {
                assert_eq!(characters.next(), Some('['), "an escape that is no control sequence in {text:?}");
                let mut number = String::new();
                let end = characters.by_ref().find(|c| {
                    if c.is_ascii_alphabetic() {
                        true
                    } else {
                        number.push(*c);
                        false
                    }
                });
                let count = number.parse().unwrap_or(1);
                match (end, number.as_str()) {
                    (Some('A'), _) => row = row.saturating_sub(count),
                    (Some('B'), _) => row += count,
                    (Some('K'), "2") => lines.get_mut(row).map(Vec::clear).unwrap_or_default(),
                    (Some('K'), "" | "0") => lines.get_mut(row).map(|line| line.truncate(column)).unwrap_or_default(),
                    // Colours, and whether the cursor is seen.
                    (Some('m'), _) | (Some('h' | 'l'), "?25") => {}
                    other => panic!("{other:?} in {text:?}"),
                }
            }
            other => {
                while lines.len() <= row {
                    lines.push(Vec::new());
                }
                let line = &mut lines[row];
                line.resize(line.len().max(column + 1), ' ');
                line[column] = other;
                column += 1;
            }
        }
    }
    lines.into_iter().map(|line| line.into_iter().collect::<String>().trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::screen;

    #[test]
    fn what_was_drawn_over_or_cleared_is_not_on_the_screen() {
        assert_eq!(screen("one\r\ntwo\rTW\r\n\x1b[2mthree\x1b[0m\r\x1b[2Kend"), ["one", "TWo", "end"]);
        assert_eq!(screen("bar\r\nbar\x1b[1A\r\x1b[K\x1b[1B\r\x1b[2K"), Vec::<String>::new());
    }
}
