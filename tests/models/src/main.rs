//! Explores the models to their bounds. `short` takes the smallest of them; `show` prints every counterexample.
//! Ends with 1 when a property fails, or when a control, a model without one of its rules, is not refuted.

mod check;
mod folding;
mod herald;
mod intake;

use check::check;
use folding::Folding;
use herald::Herald;
use intake::Intake;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = words.iter().find(|word| !["short", "show"].contains(&word.as_str())) {
        eprintln!("{unknown}: only `short` and `show` are known");
        return ExitCode::from(2);
    }
    let (short, show) = (words.contains(&"short".into()), words.contains(&"show".into()));

    let small = Intake::new(3, 2);
    let models = if short { vec![small.clone()] } else { vec![Intake::new(4, 2), Intake::new(3, 3)] };
    let intake = check("intake", models, small.controls(), show);

    let small = Folding::new(3, 2, 1);
    let models = if short {
        vec![small.clone()]
    } else {
        vec![Folding::new(4, 2, 1), Folding::new(3, 2, 2), Folding::new(3, 3, 0)]
    };
    let folding = check("folding", models, small.controls(), show);

    let small = Herald::new(2, 3, 1, 1);
    let models = if short { vec![small.clone()] } else { vec![Herald::new(3, 3, 1, 1), Herald::new(2, 3, 1, 2)] };
    let herald = check("herald", models, small.controls(), show);

    if intake && folding && herald {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
