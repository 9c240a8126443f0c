//! Distinguishes words of a sentence from keys and passwords by their shape.

/// Longest run of letters that may be a word.
const LONGEST_WORD: usize = 24;

/// Whether a text looks like a word of a sentence and like no key: letters alone, with vowels among them, in lower case,
/// in capitals, or with a capital at the beginning of each part.
///
/// `Basic extraction failed` and `password: incorrect` speak of secrets and hold none.
pub(crate) fn is_word(text: &str) -> bool {
    let text = text.trim_end_matches(['.', '-', '/', '=']);
    let parts = text.split(['-', '_', '.', '/']).filter(|part| !part.is_empty());
    let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
    let vowels = text.bytes().filter(|byte| b"aeiouyAEIOUY".contains(byte)).count();
    let is_part = |part: &str| {
        let plain = part.bytes().all(|byte| byte.is_ascii_alphabetic()) && part.len() <= LONGEST_WORD;
        plain && (part.bytes().all(|byte| byte.is_ascii_uppercase()) || humps(part).all(|hump| hump >= 3))
    };
    letters > 0 && vowels * 4 > letters && parts.into_iter().all(is_part)
}

/// The lengths of the parts of a name that each begin with a capital; the last part of a plain word may be short.
fn humps(name: &str) -> impl Iterator<Item = usize> {
    let turns = name.char_indices().skip(1).filter(|(_, char)| char.is_ascii_uppercase()).map(|(at, _)| at);
    let ends: Vec<usize> = turns.chain([name.len()]).collect();
    let is_plain = ends.len() == 1;
    let starts: Vec<usize> = std::iter::once(0).chain(ends.iter().copied()).collect();
    ends.into_iter().zip(starts).map(move |(end, start)| if is_plain { LONGEST_WORD } else { end - start })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_no_keys_and_keys_are_no_words() {
        for word in
            ["extraction", "authentication", "INCORRECT", "InvalidToken", "pre-authorised", "not_set", "Required."]
        {
            assert!(is_word(word), "{word}");
        }
        for key in
            ["abcdefgh1234", "dXNlcjpwYXNz", "gJkQpZrTwXyL", "kqzwxvbnmtrp", "abcd-efgh-ijkl", "hunter22", "", "----"]
        {
            assert!(!is_word(key), "{key}");
        }
    }
}
