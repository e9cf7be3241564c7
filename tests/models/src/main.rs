//! Explores the models to their bounds; `short` takes smaller bounds, `show` prints every counterexample.

mod check;
mod folding;
mod intake;

use check::check;
use folding::Folding;
use intake::Intake;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (short, show) = (words.contains(&"short".into()), words.contains(&"show".into()));
    let mut good = true;
    let n: Vec<usize> = words.iter().filter_map(|w| w.parse().ok()).collect();
    let model = if n.len() == 2 { Intake::new(n[0], n[1]) } else if short { Intake::new(3, 2) } else { Intake::new(4, 3) };
    let bound = format!("every votes log of up to {} records, fetches of up to {} offsets, {} owners, {} repeated write, {} reset by an operator",
        model.records, model.fetch, model.owners, model.repeats, model.resets);
    good &= check("intake", &bound, model.clone(), model.controls(), show);
    let n: Vec<usize> = words.iter().filter_map(|w| w.strip_prefix("f")?.parse().ok()).collect();
    let model = if n.len() == 3 { Folding::new(n[0], n[1], n[2] as u8) } else if short { Folding::new(3, 2, 1) } else { Folding::new(3, 3, 1) };
    good &= check("folding", &format!("{model:?}"), model.clone(), model.controls(), show);
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
