//! A digest that was decided while the clock was ahead, dated by the right time before anyone gets it.

use jiff::Timestamp;

use crate::triage::digest::model::Digest;

impl Digest {
    /// Sets every time back that is later than `now`. When the next digest is due is not known then.
    pub fn redate(&mut self, now: Timestamp) {
        let back = |at: &mut Timestamp| *at = (*at).min(now);
        if self.created_at > now {
            self.next_digest_at = None;
        }
        back(&mut self.created_at);
        back(&mut self.window.from);
        back(&mut self.window.to);
        self.ledger_as_of.iter_mut().for_each(back);
        self.faults.iter_mut().for_each(|fault| back(&mut fault.since));
        for entry in self.changes.iter_mut().chain(&mut self.still_open).chain(&mut self.taken) {
            back(&mut entry.first_seen);
            back(&mut entry.last_seen);
            entry.samples.iter_mut().for_each(|sample| back(&mut sample.seen_at));
        }
    }
}
