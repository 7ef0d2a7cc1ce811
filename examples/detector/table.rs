//! The table, row by row as it is measured.

/// The header.
pub(crate) fn head() {
    println!("| row | measured | s. e. | target | holds | 30 d against 30 d | XmR |");
    println!("| --- | ---: | ---: | ---: | --- | ---: | ---: |");
}

/// What is wanted of a number.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
}

/// A mean over teams, and how far chance alone takes it from what it would be over infinitely many.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mean {
    pub(crate) value: f64,
    pub(crate) error: f64,
}

impl Mean {
    /// Of a number of each team.
    #[expect(clippy::cast_precision_loss, reason = "a few thousand teams")]
    pub(crate) fn of(each: impl Iterator<Item = f64>) -> Self {
        let each: Vec<f64> = each.collect();
        let count = each.len() as f64;
        let value = each.iter().sum::<f64>() / count;
        let squares: f64 = each.iter().map(|one| (one - value).powi(2)).sum();
        Self { value, error: (squares / (count - 1.0)).sqrt() / count.sqrt() }
    }

    /// How often something is so.
    pub(crate) fn share(each: impl Iterator<Item = bool>) -> Self {
        Self::of(each.map(|is| if is { 1.0 } else { 0.0 }))
    }
}

/// One row; shares are shown in percent.
pub(crate) fn row(name: &str, measured: Mean, target: Target, is_share: bool, rivals: Option<(f64, f64)>) {
    let show = |number: f64| {
        if is_share { format!("{:.0} %", number * 100.0) } else { format!("{number:.2}") }
    };
    let Mean { value, error } = measured;
    let precise = if is_share { format!("{:.1} %", error * 100.0) } else { format!("{error:.3}") };
    let (sign, wanted, holds) = match target {
        Target::AtMost(wanted) => ("≤", wanted, value <= wanted),
        Target::AtLeast(wanted) => ("≥", wanted, value >= wanted),
    };
    let holds = if holds { "yes" } else { "**no**" };
    let (months, charts) = match rivals {
        None => ("–".to_owned(), "–".to_owned()),
        Some((months, charts)) => (show(months), show(charts)),
    };
    println!(
        "| {name} | {} | {precise} | {sign} {} | {holds} | {months} | {charts} |",
        show(value),
        show(wanted)
    );
}
