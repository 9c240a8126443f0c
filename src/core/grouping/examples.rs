//! Examples of a group that differ from each other.

/// Up to `n` positions of messages that show how a group varies: the first one, then always the one least like those
/// already chosen. Equal texts are chosen once. At most 1,000 messages are looked at.
pub fn pick_examples<'a>(messages: impl IntoIterator<Item = &'a str>, n: usize) -> Vec<usize> {
    let words: Vec<Vec<&str>> = messages.into_iter().take(CONSIDERED).map(words).collect();
    let mut chosen: Vec<usize> = Vec::new();
    let mut distance = vec![u32::MAX; words.len()];
    while chosen.len() < n {
        let next = match chosen.last() {
            None if words.is_empty() => break,
            None => 0,
            Some(&last) => {
                for (at, best) in distance.iter_mut().enumerate() {
                    *best = (*best).min(difference(&words[last], &words[at]));
                }
                // The earliest of the most different ones, so that the choice does not wander.
                let Some((at, &most)) =
                    distance.iter().enumerate().max_by_key(|&(at, &most)| (most, std::cmp::Reverse(at)))
                else {
                    break;
                };
                if most == 0 {
                    break;
                }
                at
            }
        };
        chosen.push(next);
    }
    chosen
}

/// Messages looked at.
const CONSIDERED: usize = 1000;
/// Bytes of each message looked at.
const CONSIDERED_BYTES: usize = 4096;

fn words(message: &str) -> Vec<&str> {
    let mut end = message.len().min(CONSIDERED_BYTES);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    let mut words: Vec<&str> =
        message[..end].split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.sort_unstable();
    words
}

/// Words in one but not in the other.
fn difference(one: &[&str], two: &[&str]) -> u32 {
    let (mut i, mut j, mut differing) = (0, 0, 0);
    while i < one.len() && j < two.len() {
        match one[i].cmp(two[j]) {
            std::cmp::Ordering::Equal => {
                i += 1;
                j += 1;
            }
            std::cmp::Ordering::Less => {
                i += 1;
                differing += 1;
            }
            std::cmp::Ordering::Greater => {
                j += 1;
                differing += 1;
            }
        }
    }
    differing + (one.len() - i + two.len() - j) as u32
}
