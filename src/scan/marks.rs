//! Comments that accept a secret today, and with it its past.

use crate::filter::Reason;
use crate::model::Place;

/// Which of a secret's places have a comment that accepts it. Those that better matches cover are told apart: what is said
/// of them counts only among themselves.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks {
    plain: Seen,
    covered: Seen,
}

/// Whether there is a place with a comment, and whether there is one without.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    marked: bool,
    open: bool,
}

impl Marks {
    /// Adds a place.
    pub(super) fn add(&mut self, place: &Place) {
        if let Some(covered) = &place.covered {
            self.covered.marked |= covered.mark.is_some();
            self.covered.open |= covered.mark.is_none();
        } else {
            let reason = place.dropped.as_deref();
            self.plain.marked |= reason.is_some_and(|reason| reason.starts_with("suppressed by"));
            self.plain.open |= reason.is_none();
        }
    }

    /// Accepts a place in the past, where a comment accepts all of today.
    pub(super) fn cover(self, place: &mut Place, comment: &str) {
        let reason = || Some(Reason::Comment(comment.to_owned()).to_string());
        if let Some(covered) = &mut place.covered {
            let marked = self.plain.marked || self.covered.marked;
            let open = self.plain.open || self.covered.open;
            if marked && !open && covered.mark.is_none() {
                covered.mark = reason();
            }
        } else if self.plain.marked && !self.plain.open && place.dropped.is_none() {
            place.dropped = reason();
        }
    }
}
