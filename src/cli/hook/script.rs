//! The scripts that git runs: a block of ours, which may stand among lines of others.

use super::Kind;

/// The hook that was there before is beside ours, with this behind its name.
pub(super) const KEPT: &str = ".before-keysweep";

const SHELL: &str = "#!/bin/sh\n";
const BEGIN: &str = "# >>> keysweep hook >>>\n";
const END: &str = "# <<< keysweep hook <<<\n";

/// Our block in a hook's text, and what stands around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parts<'t> {
    pub(super) before: &'t [u8],
    pub(super) behind: &'t [u8],
}

impl<'t> Parts<'t> {
    /// Takes a hook's text apart; `None` where there is no block of ours.
    pub(super) fn of(text: &'t [u8]) -> Option<Self> {
        let start = memchr::memmem::find(text, BEGIN.as_bytes())?;
        let (before, rest) = text.split_at(start);
        let end = memchr::memmem::find(rest, END.as_bytes())? + END.len();
        let behind = rest.get(end..).unwrap_or_default();
        Some(Self { before, behind })
    }

    /// Whether nobody else has written anything into the file.
    pub(super) fn is_ours_alone(&self) -> bool {
        self.before == SHELL.as_bytes() && self.behind.is_empty()
    }

    /// The text with another block in the place of the present one.
    pub(super) fn with(&self, block: &str) -> Vec<u8> {
        [self.before, block.as_bytes(), self.behind].concat()
    }
}

/// Whether a hook that is not ours calls keysweep by itself.
pub(super) fn calls_us(text: &[u8], kind: Kind) -> bool {
    let has = |needle: &str| memchr::memmem::find(text, needle.as_bytes()).is_some();
    has("keysweep") && has(&format!("hook run {}", kind.name()))
}

/// A whole hook.
pub(super) fn whole(kind: Kind, program: Option<&str>) -> String {
    format!("{SHELL}{}", block(kind, program))
}

/// The lines of a hook. `program` is where keysweep lies now.
///
/// Before a commit the hook that was there comes first, since it may change what is staged; before a push it comes last,
/// since it may already send something.
pub(super) fn block(kind: Kind, program: Option<&str>) -> String {
    let name = kind.name();
    let order = match kind {
        Kind::PreCommit | Kind::PreMergeCommit => "first, since it may change what is staged",
        Kind::PrePush => "afterwards, since it may already send something",
        Kind::PreReceive => "afterwards, since it may already announce something",
    };
    let program = program.map(quoted).unwrap_or_default();
    let find = format!(
        r#"for keysweep in "$KEYSWEEP" {program} keysweep ''; do
    command -v "$keysweep" >/dev/null 2>&1 && break
done
if [ -z "$keysweep" ]; then
    echo "keysweep is not installed any more: install it, or remove its lines from $0" >&2
    exit 2
fi
"#
    );
    let body = match kind {
        Kind::PreCommit | Kind::PreMergeCommit => format!(
            r#"if [ -x "$0{KEPT}" ]; then
    "$0{KEPT}" "$@" || exit $?
fi
{find}"$keysweep" hook run {name} "$@" || exit $?
"#
        ),
        // The refs come on standard input, and two want to read them. The dot keeps the last line's end.
        Kind::PrePush | Kind::PreReceive => format!(
            r#"{find}refs=$(cat && echo .)
printf '%s' "${{refs%.}}" | "$keysweep" hook run {name} "$@" || exit $?
if [ -x "$0{KEPT}" ]; then
    printf '%s' "${{refs%.}}" 2>/dev/null | "$0{KEPT}" "$@" || exit $?
fi
"#
        ),
    };
    format!(
        "{BEGIN}# Written by `keysweep hook install`, taken out by `keysweep hook uninstall`. A hook that was here before\n\
         # is beside this file as {name}{KEPT} and runs {order}.\n{body}{END}"
    )
}

/// A text as one word of the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_is_found_among_the_lines_of_others() {
        let ours = whole(Kind::PrePush, Some("/opt/it's here/keysweep"));
        assert!(ours.contains(r"'/opt/it'\''s here/keysweep'"));
        assert!(Parts::of(ours.as_bytes()).is_some_and(|parts| parts.is_ours_alone()));
        let mixed = format!("{ours}echo more\n");
        let parts = Parts::of(mixed.as_bytes());
        assert!(parts.as_ref().is_some_and(|parts| !parts.is_ours_alone()));
        let rest = parts.map(|parts| parts.with(""));
        assert_eq!(rest, Some(b"#!/bin/sh\necho more\n".to_vec()));
        assert_eq!(Parts::of(b"#!/bin/sh\necho keysweep\n"), None);
    }

    #[test]
    fn a_hook_that_calls_keysweep_by_itself_is_known() {
        assert!(calls_us(
            b"exec keysweep hook run pre-commit",
            Kind::PreCommit
        ));
        assert!(!calls_us(
            b"exec keysweep hook run pre-push",
            Kind::PreCommit
        ));
        assert!(!calls_us(b"hook run pre-commit", Kind::PreCommit));
    }
}
