//! How long each episode took to recover: a dot for each, on a scale of powers, with the median.

use crate::model::text::length;
use crate::report::format::answer::Charts;
use crate::report::format::html::chart::{COLOURS, Frame, HEIGHT, Key};
use crate::report::format::html::escaped;
use crate::report::format::layout::AnswerLayout;

const WIDTH: u64 = 1000;
/// The scale: from a minute to a month.
const LOWEST: f64 = 60.0;
const HIGHEST: f64 = 30.0 * 86_400.0;
/// More dots than this would be a blot, and a heavy page.
const DOTS: usize = 1000;

/// Draws the chart, or says that nothing recovered.
pub(crate) fn draw(charts: &Charts, look: &AnswerLayout, page: &mut String) {
    let newest = charts.recoveries.len().saturating_sub(DOTS);
    let dots = &charts.recoveries[newest..];
    let mut sorted: Vec<u64> = dots.iter().map(|(_, seconds)| *seconds).collect();
    sorted.sort_unstable();
    let Some(median) = sorted.get(sorted.len().saturating_sub(1) / 2) else {
        page.push_str("<figure>\n<figcaption>Time to recover</figcaption>\n<p class=\"quiet\">no episode recovered in this time</p></figure>\n");
        return;
    };
    let begin = charts.window.since.as_second();
    let span = (charts.window.until.as_second() - begin).max(1);
    let mut drawing = String::new();
    for (at, seconds) in dots {
        let x = (at.as_second() - begin).clamp(0, span) * 1000 / span;
        let tip = escaped(&format!("{}: after {}", look.time(*at), length(*seconds)));
        // A line of no length with round ends stays a dot however the drawing is stretched.
        drawing
            .push_str(&format!("<path class=\"dot\" d=\"M{x} {}h.01\"><title>{tip}</title></path>", height(*seconds)));
    }
    let middle = height(*median);
    drawing.push_str(&format!("<path class=\"median\" d=\"M0 {middle}H{WIDTH}\"/>"));
    let newest = if newest > 0 { "the newest " } else { "" };
    let label = format!("median {} of {newest}{} episodes", length(*median), dots.len());
    let zone = |at: jiff::Timestamp| at.to_zoned_datetime(look.zone.clone()).strftime("%b %-d").to_string();
    Frame {
        title: "Time to recover",
        sentence: label.clone(),
        keys: vec![Key { colour: COLOURS[0], label }],
        left: ["30 d", "2 d", "3 h", "13 min", "1 min"].map(str::to_owned).into(),
        below: vec![zone(charts.window.since), zone(charts.window.until)],
        width: WIDTH,
    }
    .write(&drawing, page);
}

/// Where so many seconds are on the scale, from the top.
fn height(seconds: u64) -> u64 {
    let place = (seconds as f64).clamp(LOWEST, HIGHEST) / LOWEST;
    let share = place.ln() / (HIGHEST / LOWEST).ln();
    HEIGHT - (share * HEIGHT as f64).round() as u64
}

#[cfg(test)]
mod tests {
    use crate::report::format::html::recovery::height;

    #[test]
    fn the_labels_stand_where_the_scale_has_them() {
        // Quarters of the scale from a minute to thirty days are powers of one factor.
        let quarter = (30.0_f64 * 1440.0).powf(0.25);
        for (labels, seconds) in
            [60.0, 60.0 * quarter, 60.0 * quarter.powi(2), 60.0 * quarter.powi(3)].iter().enumerate()
        {
            let expected = 1000 - 250 * labels as u64;
            assert!(height(*seconds as u64).abs_diff(expected) <= 2, "{seconds}");
        }
        assert_eq!((height(0), height(u64::MAX)), (1000, 0));
    }
}
