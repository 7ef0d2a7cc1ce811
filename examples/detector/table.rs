//! The table, row by row as it is measured.

/// The header.
pub(crate) fn head() {
    println!("| row | measured | target | holds | 30 d against 30 d | XmR |");
    println!("| --- | ---: | ---: | --- | ---: | ---: |");
}

/// What is wanted of a number.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

/// One row; shares are shown in percent.
pub(crate) fn row(name: &str, measured: f64, target: Target, is_share: bool, rivals: Option<(f64, f64)>) {
    let show = |number: f64| {
        if is_share { format!("{:.0} %", number * 100.0) } else { format!("{number:.2}") }
    };
    let (sign, wanted, holds) = match target {
        Target::AtMost(wanted) => ("≤", wanted, measured <= wanted),
        Target::AtLeast(wanted) => ("≥", wanted, measured >= wanted),
    };
    let holds = if holds { "yes" } else { "**no**" };
    let (months, charts) = match rivals {
        None => ("–".to_owned(), "–".to_owned()),
        Some((months, charts)) => (show(months), show(charts)),
    };
    println!("| {name} | {} | {sign} {} | {holds} | {months} | {charts} |", show(measured), show(wanted));
}
