//! The frame of a chart: title, legend, axes. Labels are HTML beside the drawing, so that they keep their size
//! while the drawing takes whatever width there is.

use crate::report::format::html::escaped;

/// Colours that people with any kind of colour sight distinguish (Okabe and Ito); the last one is for the rest.
pub(crate) const COLOURS: [&str; 7] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a8f98"];

/// The drawing's own height; its width is up to each chart.
pub(crate) const HEIGHT: u64 = 1000;

/// A line of the legend.
pub(crate) struct Key {
    /// The colour.
    pub(crate) colour: &'static str,
    /// What it stands for.
    pub(crate) label: String,
}

/// What surrounds a drawing.
pub(crate) struct Frame<'a> {
    /// The question it answers.
    pub(crate) title: &'a str,
    /// The same in one sentence, for those who do not see it.
    pub(crate) sentence: String,
    /// The legend; empty for none.
    pub(crate) keys: Vec<Key>,
    /// Labels at the left, top first.
    pub(crate) left: Vec<String>,
    /// Labels below, first first.
    pub(crate) below: Vec<String>,
    /// The drawing's width.
    pub(crate) width: u64,
}

impl Frame<'_> {
    /// Writes the chart.
    pub(crate) fn write(&self, drawing: &str, page: &mut String) {
        let spans = |labels: &[String]| -> String {
            let spans = labels.iter().map(|label| format!("<span>{}</span>", escaped(label)));
            spans.collect()
        };
        let keys = self.keys.iter().map(|key| format!("<li>{}{}</li>", swatch(key.colour), escaped(&key.label)));
        let keys: String = keys.collect();
        page.push_str(&format!(
            "<figure>\n<figcaption>{}</figcaption>\n<ul class=\"keys\">{keys}</ul>\n<div class=\"plot\">\
             <div class=\"left\">{}</div>\
             <svg role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {} {HEIGHT}\" preserveAspectRatio=\"none\">{drawing}</svg>\
             <div class=\"below\">{}</div></div>\n</figure>\n",
            escaped(self.title),
            spans(&self.left),
            escaped(&self.sentence),
            self.width,
            spans(&self.below),
        ));
    }
}

/// A square of a colour. An attribute of SVG and no style, which a page may forbid.
fn swatch(colour: &str) -> String {
    format!("<svg viewBox=\"0 0 1 1\" aria-hidden=\"true\"><path fill=\"{colour}\" d=\"M0 0h1v1h-1z\"/></svg>")
}

/// A round number not below `most`, and the labels of an axis up to it.
pub(crate) fn axis(most: u64) -> (u64, Vec<String>) {
    let mut step = 1;
    let top = loop {
        let fitting = [1, 2, 4, 5, 10].map(|factor| factor * step).into_iter().find(|top| *top >= most);
        match fitting {
            Some(top) => break top,
            None => step *= 10,
        }
    };
    let mut labels = vec![crate::report::format::layout::grouped(top)];
    if top.is_multiple_of(2) {
        labels.push(crate::report::format::layout::grouped(top / 2));
    }
    labels.push("0".to_owned());
    (top, labels)
}

/// Stacked bars as one path for each layer: `layers[layer][bar]`, lowest layer first, each bar `slot` wide.
pub(crate) fn stacked(layers: &[(&'static str, Vec<u64>)], top: u64, slot: u64) -> String {
    let bars = layers.first().map_or(0, |(_, counts)| counts.len());
    let mut below = vec![0_u64; bars];
    let mut drawing = String::new();
    for (colour, counts) in layers {
        let mut path = String::new();
        for (at, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let (low, high) = (below[at], below[at] + count);
            below[at] = high;
            let y = |count: u64| HEIGHT - (count * HEIGHT).div_ceil(top.max(1)).min(HEIGHT);
            let (x, wide) = (at as u64 * slot + 1, slot.saturating_sub(2).max(1));
            // A bar of one failure among thousands is still seen.
            let (upper, lower) = (y(high), y(low).max(y(high) + 6).min(HEIGHT));
            path.push_str(&format!("M{x} {upper}h{wide}v{}h-{wide}z", lower - upper));
        }
        if !path.is_empty() {
            drawing.push_str(&format!("<path fill=\"{colour}\" d=\"{path}\"/>"));
        }
    }
    drawing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        for (most, top) in [(0, 1), (1, 1), (3, 4), (7, 10), (11, 20), (34, 40), (41, 50), (999, 1000), (1001, 2000)] {
            assert_eq!(axis(most).0, top, "{most}");
        }
    }

    #[test]
    fn bars_stand_on_each_other() {
        let drawing = stacked(&[("red", vec![1, 0]), ("blue", vec![1, 2])], 2, 10);
        assert_eq!(
            drawing,
            "<path fill=\"red\" d=\"M1 500h8v500h-8z\"/><path fill=\"blue\" d=\"M1 0h8v500h-8zM11 0h8v1000h-8z\"/>"
        );
    }
}
