//! A picture with two axes as SVG: its frame, ticks, lines, bands, bars and legend.

use std::fmt::{self, Write};

use super::escape::{Html, json_text};

/// Its size, in which a phone shows it about as large as it is.
const WIDTH: f64 = 440.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 14.0;
/// Room for the names above the frame.
const TOP: f64 = 44.0;
const BOTTOM: f64 = 38.0;

/// How large a character is on the mean: what no font is asked for.
const LETTER: f64 = 6.8;

/// The look of a file of its own.
pub(super) const STYLE: &str = include_str!("page/plot.css");

/// An axis, from `least` to `most`.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) label: &'static str,
    pub(super) least: f64,
    pub(super) most: f64,
    pub(super) is_logarithmic: bool,
    /// Only whole numbers are marked.
    pub(super) is_whole: bool,
}

/// What is drawn into the frame.
#[derive(Clone, Debug)]
pub(super) enum Mark {
    /// A line in one of eight colours; each y holds until the next x.
    Steps { colour: usize, points: Vec<(f64, f64)> },
    /// A line from point to point.
    Line { colour: usize, points: Vec<(f64, f64)> },
    /// A thin dashed line from point to point.
    Dashed { class: String, points: Vec<(f64, f64)> },
    /// What lies between two lines.
    Band { class: String, low: Vec<(f64, f64)>, high: Vec<(f64, f64)> },
    /// A bar from one x to another, and from one y to another.
    Bar { class: String, x: (f64, f64), y: (f64, f64), says: String },
}

/// Values to be shown where somebody points at a picture.
#[derive(Clone, Debug)]
pub(super) struct Values {
    /// The first x, and from one to the next.
    pub(super) first: f64,
    pub(super) step: f64,
    pub(super) unit: &'static str,
    /// Names, and of each its values.
    pub(super) series: Vec<(String, Vec<f64>)>,
}

#[derive(Clone, Debug)]
pub(super) struct Plot {
    /// A name for its file.
    pub(super) name: &'static str,
    pub(super) title: String,
    /// What it shows, in a sentence.
    pub(super) says: String,
    pub(super) height: f64,
    pub(super) x: Axis,
    pub(super) y: Axis,
    /// Names instead of numbers along the y axis, from the top.
    pub(super) rows: Vec<String>,
    pub(super) marks: Vec<Mark>,
    /// Names and classes of what is drawn.
    pub(super) legend: Vec<(String, String)>,
    pub(super) values: Option<Values>,
}

impl Axis {
    /// From 0, to a little more than the largest value.
    pub(super) fn to(label: &'static str, most: f64) -> Self {
        Self {
            label,
            least: 0.0,
            most: if most > 0.0 { most } else { 1.0 },
            is_logarithmic: false,
            is_whole: true,
        }
    }

    fn place(&self, value: f64) -> f64 {
        let scale = |value: f64| if self.is_logarithmic { value.max(self.least).ln() } else { value };
        (scale(value) - scale(self.least)) / (scale(self.most) - scale(self.least))
    }

    /// Round numbers along it, at most about that many.
    fn ticks(&self, most: f64) -> Vec<f64> {
        if self.is_logarithmic {
            let decades = (0..19).map(|power| 10_f64.powi(power));
            return decades.filter(|tick| *tick >= self.least && *tick <= self.most).collect();
        }
        let finest = if self.is_whole { 1.0 } else { f64::MIN_POSITIVE };
        round_numbers(self.least, self.most, most, finest)
    }
}

/// Round numbers from one to another, at most about so many, in steps of `finest` or more.
pub(super) fn round_numbers(least: f64, most: f64, count: f64, finest: f64) -> Vec<f64> {
    let raw = (most - least) / count;
    let decade = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|k| k * decade).into_iter().find(|step| *step >= raw);
    let step = step.unwrap_or(raw).max(finest);
    let first = (least / step).ceil();
    let count = ((most / step).floor() - first).clamp(0.0, 50.0);
    (0..50).map(f64::from).take_while(|k| *k <= count).map(|k| (first + k) * step).collect()
}

/// A number as people write it: whole where it is, and with spaces between thousands.
pub(super) fn number(value: f64) -> String {
    let rounded = (value * 1000.0).round() / 1000.0;
    let text = if rounded.fract().abs() < 1e-9 { format!("{rounded:.0}") } else { format!("{rounded}") };
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("−", digits));
    let (whole, fraction) = digits.split_once('.').map_or((digits, ""), |(whole, part)| (whole, part));
    let mut out = sign.to_owned();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) && whole.len() > 4 {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    if out == "−0" && fraction.is_empty() {
        return "0".to_owned();
    }
    if fraction.is_empty() { out } else { out + "." + fraction }
}

impl Plot {
    /// The picture as a file of its own.
    pub(super) fn file(&self) -> String {
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n", Svg { plot: self, is_file: true })
    }

    /// The picture as part of a page, with its values.
    pub(super) fn part(&self) -> String {
        Svg { plot: self, is_file: false }.to_string()
    }

    fn left(&self) -> f64 {
        let longest = self
            .rows
            .iter()
            .flat_map(|row| row.split('\n'))
            .map(|line| line.chars().count())
            .max()
            .unwrap_or(0);
        let room = |longest: usize| f64::from(u32::try_from(longest).unwrap_or(0)) * LETTER;
        if self.rows.is_empty() {
            let ticks = self.y_ticks().into_iter().map(|tick| number(tick).chars().count());
            return LEFT.max(room(ticks.max().unwrap_or(0)) + 26.0);
        }
        LEFT.max(room(longest) + 10.0).min(WIDTH / 2.0)
    }

    fn y_ticks(&self) -> Vec<f64> {
        self.y.ticks((self.height - TOP - BOTTOM) / 32.0)
    }

    fn x_at(&self, value: f64) -> f64 {
        self.left() + self.x.place(value) * (WIDTH - self.left() - RIGHT)
    }

    fn y_at(&self, value: f64) -> f64 {
        let bottom = self.height - BOTTOM;
        bottom - self.y.place(value) * (bottom - TOP)
    }
}

struct Svg<'a> {
    plot: &'a Plot,
    is_file: bool,
}

impl fmt::Display for Svg<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plot { title, says, height, .. } = self.plot;
        write!(
            f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\""
        )?;
        if self.is_file {
            write!(f, " width=\"{WIDTH}\" height=\"{height}\"")?;
        } else if let Some(values) = &self.plot.values {
            let frame =
                [self.plot.left(), WIDTH - RIGHT, TOP, height - BOTTOM].map(|x| x.to_string()).join(",");
            write!(f, " data-frame=\"{frame}\" data-x=\"{},{}\"", self.plot.x.least, self.plot.x.most)?;
            write!(f, " data-values=\"{}\"", Html(values_json(values)))?;
        }
        write!(f, "><title>{}</title><desc>{}</desc>", Html(title), Html(says))?;
        if self.is_file {
            write!(f, "<style>{STYLE} .plot {{ background: var(--paper); }}</style>")?;
        }
        write!(f, "<text class=\"name\" x=\"6\" y=\"15\">{}</text>", Html(title))?;
        self.legend(f)?;
        self.x_axis(f)?;
        self.y_axis(f)?;
        self.plot.marks.iter().try_for_each(|mark| self.mark(f, mark))?;
        f.write_str("</svg>")
    }
}

impl Svg<'_> {
    fn legend(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |name: &str| 26.0 + LETTER * f64::from(u32::try_from(name.chars().count()).unwrap_or(0));
        let is_too_wide = self.plot.legend.iter().map(|(name, _)| width(name)).sum::<f64>() > WIDTH;
        let mut x = 8.0;
        for (name, class) in &self.plot.legend {
            // What stands in brackets can be left out: the pictures' own words have it too.
            let name = if is_too_wide { name.split(" (").next().unwrap_or(name) } else { name };
            if class.starts_with("dashed") {
                write!(f, "<path class=\"{class}\" d=\"M{x:.0} 28h12\"/>")?;
            } else {
                write!(
                    f,
                    "<rect class=\"{class}\" x=\"{x:.0}\" y=\"24\" width=\"10\" height=\"8\" rx=\"2\"/>"
                )?;
            }
            write!(f, "<text class=\"key\" x=\"{:.0}\" y=\"32\">{}</text>", x + 14.0, Html(name))?;
            x += width(name);
        }
        Ok(())
    }

    fn x_axis(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plot = self.plot;
        let bottom = plot.height - BOTTOM;
        for tick in plot.x.ticks(7.0) {
            let x = plot.x_at(tick);
            write!(f, "<path class=\"rule\" d=\"M{x:.1} {TOP}V{bottom}\"/>")?;
            write!(
                f,
                "<text x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{}</text>",
                bottom + 15.0,
                number(tick)
            )?;
        }
        let (left, right) = (plot.left(), WIDTH - RIGHT);
        write!(f, "<path class=\"axis\" d=\"M{left:.1} {bottom}H{right}\"/>")?;
        let (x, y) = (f64::midpoint(left, right), bottom + 31.0);
        write!(f, "<text x=\"{x:.1}\" y=\"{y:.0}\" text-anchor=\"middle\">{}</text>", Html(plot.x.label))
    }

    fn y_axis(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plot = self.plot;
        let (left, right) = (plot.left(), WIDTH - RIGHT);
        for (index, row) in (0_u32..).zip(&plot.rows).filter(|(_, row)| !row.is_empty()) {
            let y = plot.y_at(plot.y.most - f64::from(index) - 0.5) + 4.0;
            let (name, below) = row.split_once('\n').unwrap_or((row, ""));
            let (x, y) = (left - 6.0, if below.is_empty() { y } else { y - 7.0 });
            write!(
                f,
                "<text class=\"key\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{}</text>",
                Html(name)
            )?;
            if !below.is_empty() {
                let y = y + 14.0;
                write!(f, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{}</text>", Html(below))?;
            }
        }
        let ticks = if plot.rows.is_empty() { plot.y_ticks() } else { Vec::new() };
        for tick in ticks {
            let y = plot.y_at(tick);
            write!(f, "<path class=\"rule\" d=\"M{left:.1} {y:.1}H{right}\"/>")?;
            write!(
                f,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                left - 6.0,
                y + 4.0,
                number(tick)
            )?;
        }
        write!(f, "<path class=\"axis\" d=\"M{left:.1} {TOP}V{}\"/>", plot.height - BOTTOM)?;
        let middle = f64::midpoint(TOP, plot.height - BOTTOM);
        write!(
            f,
            "<text x=\"11\" y=\"{middle:.1}\" text-anchor=\"middle\" transform=\"rotate(-90 11 {middle:.1})\">{}</text>",
            Html(plot.y.label)
        )
    }

    fn mark(&self, f: &mut fmt::Formatter<'_>, mark: &Mark) -> fmt::Result {
        let plot = self.plot;
        match mark {
            Mark::Steps { colour, points } => {
                let d = self.steps(points, 'M');
                write!(f, "<path class=\"line s{colour}\" d=\"{d}\"/>")
            }
            Mark::Line { colour, points } => {
                let d = self.line(points, 'M');
                write!(f, "<path class=\"line s{colour}\" d=\"{d}\"/>")
            }
            Mark::Dashed { class, points } => {
                write!(f, "<path class=\"dashed {class}\" d=\"{}\"/>", self.line(points, 'M'))
            }
            Mark::Band { class, low, high } => {
                let back: Vec<_> = low.iter().rev().copied().collect();
                write!(
                    f,
                    "<path class=\"{class}\" d=\"{}{}Z\"/>",
                    self.line(high, 'M'),
                    self.line(&back, 'L')
                )
            }
            Mark::Bar { class, x, y, says } => {
                let (left, right, top, bottom) =
                    (plot.x_at(x.0), plot.x_at(x.1), plot.y_at(y.1), plot.y_at(y.0));
                write!(
                    f,
                    "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"><title>{}</title></rect>",
                    (right - left).max(0.5),
                    (bottom - top).max(0.0),
                    Html(says)
                )
            }
        }
    }

    fn line(&self, points: &[(f64, f64)], start: char) -> String {
        let mut d = String::new();
        for (index, (x, y)) in points.iter().enumerate() {
            let letter = if index == 0 { start } else { 'L' };
            let _ = write!(d, "{letter}{:.1} {:.1}", self.plot.x_at(*x), self.plot.y_at(*y));
        }
        d
    }

    /// A value that stays needs no point of its own.
    fn steps(&self, points: &[(f64, f64)], start: char) -> String {
        let mut d = String::new();
        let mut before = f64::NAN;
        for (index, (x, y)) in points.iter().enumerate() {
            let (x, y) = (self.plot.x_at(*x), self.plot.y_at(*y));
            if index == 0 {
                let _ = write!(d, "{start}{x:.1} {y:.1}");
            } else if (y - before).abs() > 1e-9 {
                let _ = write!(d, "H{x:.1}V{y:.1}");
            } else if index + 1 == points.len() {
                let _ = write!(d, "H{x:.1}");
            }
            before = y;
        }
        d
    }
}

fn values_json(values: &Values) -> String {
    let Values { first, step, unit, series } = values;
    let mut json = format!("{{\"first\":{first},\"step\":{step},\"unit\":{},\"series\":[", json_text(unit));
    for (index, (name, values)) in series.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let values: Vec<String> =
            values.iter().map(|value| ((value * 100.0).round() / 100.0).to_string()).collect();
        let _ = write!(json, "{comma}[{},[{}]]", json_text(name), values.join(","));
    }
    json + "]}"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_numbers_read_well() {
        assert_eq!(Axis::to("s", 60.0).ticks(7.0), [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0]);
        let drift = Axis { label: "", least: -7.0, most: 0.0, is_logarithmic: false, is_whole: true };
        assert_eq!(drift.ticks(4.0), [-6.0, -4.0, -2.0, 0.0]);
        let counts = Axis { label: "", least: 0.8, most: 450.0, is_logarithmic: true, is_whole: true };
        assert_eq!(counts.ticks(4.0), [1.0, 10.0, 100.0]);
        for (value, text) in
            [(0.0, "0"), (-3.0, "−3"), (0.25, "0.25"), (1234.0, "1234"), (12345.0, "12\u{202f}345")]
        {
            assert_eq!(number(value), text);
        }
    }
}
