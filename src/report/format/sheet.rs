//! Sheets: what all formats but JSON are made from. Columns are chosen here, cells keep their meaning.

use jiff::Timestamp;

use crate::report::format::ReportError;

/// Rows and columns of cells under a title.
#[derive(Clone, Debug)]
pub(crate) struct Sheet {
    /// What it is; empty for the only sheet of an answer.
    pub(crate) title: String,
    /// The columns, as many as each row has cells.
    pub(crate) columns: Vec<Head>,
    /// The cells.
    pub(crate) rows: Vec<Vec<Cell>>,
    /// The sentence to show when there are no rows.
    pub(crate) empty: &'static str,
    /// Says that there are more rows than these, and how to see them; none if these are all.
    pub(crate) cut: Option<String>,
}

/// A column's head.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// The name in JSON, CSV and `--columns`.
    pub(crate) name: String,
    /// The words for people.
    pub(crate) label: String,
    /// Whether it gives way when the terminal is narrow.
    pub(crate) gives_way: bool,
}

/// A cell. Texts are outside text: every format neutralises them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    /// Nothing.
    None,
    /// Text.
    Text(String),
    /// Text that leads somewhere.
    Link(String, String),
    /// A word of ours, with its tone.
    Word(&'static str, Tone),
    /// A count.
    Count(u64),
    /// Any integer.
    Integer(i64),
    /// Any number.
    Real(f64),
    /// A share of one.
    Share(f64),
    /// A time.
    Time(Timestamp),
    /// A time that people at a terminal would rather read as an age.
    Age(Timestamp),
    /// Seconds.
    Seconds(u64),
    /// Yes or no.
    Flag(bool),
    /// Counts of the last 24 hours, oldest first; narrow lines put hours together.
    Spark(Vec<u64>),
    /// Counts over time, oldest first, each with a bar of its own.
    Bars(Vec<u64>),
}

/// How a word should strike the eye; never the only carrier of its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Look here.
    Bad,
    /// Look here too.
    Warn,
    /// All is well.
    Good,
    /// As any other text.
    Plain,
}

/// A column of a row type.
pub(crate) struct Column<R> {
    /// See [`Head::name`].
    pub(crate) name: &'static str,
    /// See [`Head::label`]; empty: only programs get it unless it is asked for.
    pub(crate) label: &'static str,
    /// Takes the cell from a row.
    pub(crate) cell: fn(&R) -> Cell,
}

/// Which columns to take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Choice<'a> {
    /// Those for people.
    Usual,
    /// All.
    All,
    /// These, in this order.
    These(&'a [String]),
}

/// Columns that may be narrowed, by name: they hold sentences.
const SENTENCES: [&str; 12] = [
    "title",
    "error_message",
    "item_name",
    "text",
    "reason",
    "last_error",
    "note",
    "template",
    "error",
    "sample.error_message",
    "why",
    "how",
];

impl Sheet {
    /// The chosen columns of these rows.
    pub(crate) fn new<R>(
        rows: &[R],
        columns: &[Column<R>],
        choice: Choice<'_>,
        empty: &'static str,
    ) -> Result<Sheet, ReportError> {
        let chosen: Vec<&Column<R>> = match choice {
            Choice::All => columns.iter().collect(),
            Choice::Usual => columns.iter().filter(|column| !column.label.is_empty()).collect(),
            Choice::These(names) => names.iter().map(|name| find(columns, name)).collect::<Result<_, _>>()?,
        };
        let head = |column: &&Column<R>| Head {
            name: column.name.to_owned(),
            label: match column.label {
                "" => column.name,
                label => label,
            }
            .to_owned(),
            gives_way: SENTENCES.contains(&column.name),
        };
        Ok(Sheet {
            title: String::new(),
            columns: chosen.iter().map(head).collect(),
            rows: rows.iter().map(|row| chosen.iter().map(|column| (column.cell)(row)).collect()).collect(),
            empty,
            cut: None,
        })
    }

    /// The usual columns of these rows under a title.
    pub(crate) fn titled<R>(title: &str, rows: &[R], columns: &[Column<R>]) -> Sheet {
        let heads = columns.iter().filter(|column| !column.label.is_empty());
        Sheet {
            title: title.to_owned(),
            columns: heads
                .clone()
                .map(|column| Head {
                    name: column.name.to_owned(),
                    label: column.label.to_owned(),
                    gives_way: SENTENCES.contains(&column.name),
                })
                .collect(),
            rows: rows.iter().map(|row| heads.clone().map(|column| (column.cell)(row)).collect()).collect(),
            empty: "none",
            cut: None,
        }
    }
}

impl Sheet {
    /// Puts a column before the others.
    pub(crate) fn put_first(&mut self, name: &str, cells: impl Iterator<Item = Cell>) {
        let head = Head { name: name.to_owned(), label: name.to_owned(), gives_way: false };
        self.columns.insert(0, head);
        for (row, cell) in self.rows.iter_mut().zip(cells) {
            row.insert(0, cell);
        }
    }

    /// Calls a column otherwise.
    pub(crate) fn rename_column(&mut self, name: &str, label: &str) {
        let head = self.columns.iter_mut().find(|head| head.name == name);
        head.into_iter().for_each(|head| label.clone_into(&mut head.label));
    }

    /// Moves a column to a place further left; others make room.
    pub(crate) fn move_column(&mut self, name: &str, to: usize) {
        let Some(from) = self.columns.iter().position(|head| head.name == name).filter(|from| *from > to) else {
            return;
        };
        self.columns[to..=from].rotate_right(1);
        for row in &mut self.rows {
            row[to..=from].rotate_right(1);
        }
    }

    /// Whether a column holds numbers.
    pub(crate) fn is_number(&self, at: usize) -> bool {
        self.rows.iter().any(|row| row[at].is_number())
    }

    /// Takes columns away.
    pub(crate) fn drop_columns(&mut self, names: &[&str]) {
        while let Some(at) = self.columns.iter().position(|head| names.contains(&head.name.as_str())) {
            self.columns.remove(at);
            for row in &mut self.rows {
                row.remove(at);
            }
        }
    }

    /// Takes away columns in which no row has anything.
    pub(crate) fn drop_empty_columns(&mut self) {
        let empty = |at: usize| self.rows.iter().all(|row| row[at] == Cell::None);
        let names: Vec<String> = (0..self.columns.len())
            .filter(|at| !self.rows.is_empty() && empty(*at))
            .map(|at| self.columns[at].name.clone())
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.drop_columns(&names);
    }
}

fn find<'a, R>(columns: &'a [Column<R>], name: &str) -> Result<&'a Column<R>, ReportError> {
    let found = columns.iter().find(|column| column.name == name.trim());
    found.ok_or_else(|| ReportError::Column {
        name: name.trim().to_owned(),
        known: columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", "),
    })
}

impl Cell {
    /// A text that may be missing.
    pub(crate) fn maybe(text: &Option<String>) -> Cell {
        text.as_ref().map_or(Cell::None, |text| Cell::Text(text.clone()))
    }

    /// A time that may be missing.
    pub(crate) fn maybe_time(at: Option<Timestamp>) -> Cell {
        at.map_or(Cell::None, Cell::Time)
    }

    /// A count that may be missing.
    pub(crate) fn maybe_count(count: Option<u64>) -> Cell {
        count.map_or(Cell::None, Cell::Count)
    }

    /// A text that leads to `link`, if there is one.
    pub(crate) fn to(text: &str, link: Option<&String>) -> Cell {
        match link {
            Some(link) => Cell::Link(text.to_owned(), link.clone()),
            None => Cell::Text(text.to_owned()),
        }
    }

    /// Whether it lines up at the right.
    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Cell::Count(_) | Cell::Integer(_) | Cell::Real(_) | Cell::Share(_) | Cell::Seconds(_))
    }

    /// The value for programs: nothing rounded, times in UTC, empty for nothing.
    pub(crate) fn exact(&self) -> String {
        match self {
            Cell::None => String::new(),
            Cell::Text(text) | Cell::Link(text, _) => text.clone(),
            Cell::Word(word, _) => (*word).to_owned(),
            Cell::Count(count) => count.to_string(),
            Cell::Integer(integer) => integer.to_string(),
            Cell::Real(number) | Cell::Share(number) => number.to_string(),
            Cell::Time(at) | Cell::Age(at) => at.to_string(),
            Cell::Seconds(seconds) => seconds.to_string(),
            Cell::Flag(flag) => flag.to_string(),
            Cell::Spark(values) | Cell::Bars(values) => {
                let values: Vec<String> = values.iter().map(u64::to_string).collect();
                values.join(" ")
            }
        }
    }

    /// The value for people, on one line, steering characters made visible.
    pub(crate) fn shown(&self, look: &crate::report::format::layout::AnswerLayout) -> String {
        match self {
            Cell::None => "-".to_owned(),
            Cell::Text(text) | Cell::Link(text, _) => crate::model::text::one_line(text).into_owned(),
            Cell::Count(count) => crate::report::format::layout::grouped(*count),
            Cell::Real(number) => format!("{number:.2}"),
            Cell::Share(share) => format!("{:.1} %", share * 100.0),
            Cell::Age(at) if look.relative => {
                crate::model::text::length(crate::report::format::layout::age(*at, look.now))
            }
            Cell::Time(at) | Cell::Age(at) => look.time(*at),
            Cell::Seconds(seconds) => crate::model::text::length(*seconds),
            Cell::Flag(true) => "yes".to_owned(),
            Cell::Flag(false) => "no".to_owned(),
            Cell::Spark(values) => {
                crate::report::format::layout::sparkline(&crate::report::format::layout::fit_width(values, look.width))
            }
            Cell::Bars(values) => crate::report::format::layout::sparkline(values),
            Cell::Word(..) | Cell::Integer(_) => self.exact(),
        }
    }
}
