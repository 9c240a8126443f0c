//! The result for each recipient of a mail, and its text.

use lettre::Address;

/// Addresses shown of those with one reason; more are counted.
const SHOWN: usize = 3;

/// A recipient that a server did not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Declined {
    pub(crate) address: Address,
    /// The server's words.
    pub(crate) why: String,
}

impl Declined {
    /// Whether the server takes this recipient in another mail: it took others, and that was its limit (RFC 5321 4.5.3.1.10).
    pub(crate) fn is_one_too_many(&self) -> bool {
        let why = self.why.to_ascii_lowercase();
        ["too many recipients", "4.5.3", "5.5.3"].iter().any(|words| why.contains(words))
    }

    /// What is the same for recipients that were declined for one reason: words without ids and addresses.
    fn kind(&self) -> String {
        let without = self.why.replace(self.address.as_ref() as &str, "");
        let is_word = |word: &&str| !word.bytes().any(|b| b.is_ascii_digit()) || word.starts_with('(');
        without.split_whitespace().filter(is_word).collect::<Vec<_>>().join(" ")
    }
}

/// Each reason once, with those that it is for: "a@example.com, b@example.com and 48 more: 504 …".
///
/// Addresses are shown whole: they are the reader's own configuration, and the reader has to find them there.
pub(crate) fn by_reason(declined: &[Declined]) -> Vec<String> {
    let mut reasons: Vec<(String, Vec<&Declined>)> = Vec::new();
    for one in declined {
        let kind = one.kind();
        match reasons.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, of)) => of.push(one),
            None => reasons.push((kind, vec![one])),
        }
    }
    reasons.iter().map(|(_, of)| format!("{}: {}", named(of), of[0].why)).collect()
}

fn named(declined: &[&Declined]) -> String {
    let shown: Vec<&str> = declined.iter().take(SHOWN).map(|one| one.address.as_ref()).collect();
    match declined.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declined(address: &str, why: &str) -> Declined {
        Declined { address: address.parse().unwrap(), why: why.to_owned() }
    }

    #[test]
    fn one_reason_of_many_recipients_is_said_once() {
        let of_all = |n| {
            let address = format!("p{n}@example.com");
            let why = format!("permanent error (554): 5.7.1 <{address}>: Relay access denied; id=4bX{n}");
            declined(&address, &why)
        };
        let mut all: Vec<Declined> = (0..50).map(of_all).collect();
        all.push(declined("q@example.com", "permanent error (550): 5.1.1 <q@example.com>: User unknown"));
        let said = by_reason(&all);
        assert_eq!(said.len(), 2, "{said:?}");
        assert_eq!(
            said[0],
            "p0@example.com, p1@example.com, p2@example.com and 47 more: permanent error (554): 5.7.1 <p0@example.com>: Relay access denied; id=4bX0"
        );
        assert_eq!(said[1], "q@example.com: permanent error (550): 5.1.1 <q@example.com>: User unknown");
    }

    #[test]
    fn only_a_limit_is_one() {
        for (why, expected) in [
            ("transient error (452): 4.5.3 Error: too many recipients", true),
            ("permanent error (552): Too many recipients", true),
            ("permanent error (552): 5.2.2 Mailbox full", false),
            ("transient error (451): 4.7.1 greylisted", false),
        ] {
            assert_eq!(declined("a@example.com", why).is_one_too_many(), expected, "{why}");
        }
    }
}
