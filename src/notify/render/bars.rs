//! The last 24 hours of a group as a small bar chart: Unicode blocks for text, heights for table cells.

use serde::Serialize;

/// Hours shown.
const HOURS: usize = 24;
/// The tallest bar in HTML, in pixels.
const TALLEST: u32 = 24;
/// What fills a bar at least, so that one failure an hour does not look like a flood.
const SMALL: u32 = 8;
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A bar chart, ready for a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Bars {
    /// One character an hour, a dot where nothing happened.
    pub(crate) blocks: String,
    /// One height in pixels an hour, 0 where nothing happened.
    pub(crate) heights: Vec<u32>,
    /// "peak 47/h, now 12/h", so that no number hangs on colour or height alone.
    pub(crate) caption: String,
}

impl Bars {
    /// The chart of hourly counts, oldest first; none if nothing happened in the last 24 hours.
    pub(crate) fn new(hourly: &[u32]) -> Option<Bars> {
        let newest = &hourly[hourly.len().saturating_sub(HOURS)..];
        let most = newest.iter().copied().max().filter(|&most| most > 0)?;
        let full = most.max(SMALL);
        let mut hours = vec![0; HOURS - newest.len()];
        hours.extend_from_slice(newest);
        let last = hours.last().copied().unwrap_or(0);
        Some(Bars {
            blocks: hours.iter().map(|&n| block(n, full)).collect(),
            heights: hours.iter().map(|&n| scale(n, full, TALLEST)).collect(),
            // The hour of the clock, which may just have begun: not the last 60 minutes that an escalation counts.
            caption: format!("peak {most}/h, now {last}/h"),
        })
    }
}

fn block(count: u32, most: u32) -> char {
    match scale(count, most, 8) {
        0 => '·',
        step => BLOCKS[step as usize - 1],
    }
}

/// Rounded up, so that one failure beside a thousand is still seen.
fn scale(count: u32, most: u32, steps: u32) -> u32 {
    let scaled = (u64::from(count) * u64::from(steps)).div_ceil(u64::from(most));
    u32::try_from(scaled).unwrap_or(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_beside_many_is_still_seen() {
        let bars = Bars::new(&[0, 1, 500, 1000]).unwrap();
        assert_eq!(bars.blocks, format!("{}·▁▄█", "·".repeat(20)));
        assert_eq!(bars.heights[21..], [1, 12, 24]);
        assert_eq!(bars.caption, "peak 1000/h, now 1000/h");
    }

    #[test]
    fn any_number_of_hours_shows_the_newest_day() {
        assert_eq!(Bars::new(&[]), None);
        assert_eq!(Bars::new(&[0; 24]), None);
        let long = [vec![9; 100], vec![u32::MAX; 24]].concat();
        assert_eq!(Bars::new(&long).unwrap().blocks, "█".repeat(24));
    }
}
