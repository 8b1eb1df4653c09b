//! Text that comes from elsewhere, made fit for a terminal and for a shell.

use std::path::Path;

/// A text from elsewhere, such as a file's name, without what could steer a terminal.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A path as it can be pasted into a shell.
pub(crate) fn quoted(path: &Path) -> String {
    quoted_text(&path.to_string_lossy())
}

/// A word as it can be pasted into a shell.
pub(crate) fn quoted_text(text: &str) -> String {
    // Only a NUL can't be quoted, and no argument has one.
    shlex::try_quote(&plain(text)).map_or_else(|_| plain(text), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_not_steer_the_terminal() {
        assert_eq!(plain("a\u{1b}[31m\nb;ü"), "a\u{fffd}[31m\u{fffd}b;ü");
    }

    #[test]
    fn a_path_can_be_pasted() {
        assert_eq!(quoted(Path::new("/a b/c")), "'/a b/c'");
        assert_eq!(quoted_text("report.pdf"), "report.pdf");
    }
}
