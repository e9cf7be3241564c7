//! Runs the checker over a model and its negative controls, and prints what was found.

use stateright::{Checker, Expectation, HasDiscoveries, Model, Path};
use std::collections::BTreeSet;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::time::Instant;

const THREADS: usize = 2;

/// A model without one of its rules, and the property that must fall with it.
pub struct Control<M> {
    pub name: &'static str,
    pub refuted: &'static str,
    pub model: M,
}

/// What is asked of a model: what stateright needs, and words for its bound.
pub trait Checked:
    Model<State: Clone + Debug + Hash + PartialEq + Send + Sync, Action: Clone + Debug + PartialEq>
    + Clone
    + Display
    + Send
    + Sync
    + 'static
{
}
impl<M> Checked for M where
    M: Model<State: Clone + Debug + Hash + PartialEq + Send + Sync, Action: Clone + Debug + PartialEq>
        + Clone
        + Display
        + Send
        + Sync
        + 'static
{
}

/// Explores a model to each of its bounds, and each control until its property falls; whether all is as it must be.
pub fn check<M: Checked>(name: &str, models: Vec<M>, controls: Vec<Control<M>>, show: bool) -> bool {
    println!("{name}");
    let mut good = true;
    for model in models {
        good &= explore(model);
    }
    println!("  without one rule:");
    for control in controls {
        good &= refute(control, show);
    }
    good
}

fn explore<M: Checked>(model: M) -> bool {
    let started = Instant::now();
    let checker = model.clone().checker().threads(THREADS).spawn_bfs().join();
    println!("  {model}:");
    println!(
        "    {} states, {} steps between them, depth {}, {:.1} s",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        started.elapsed().as_secs_f64()
    );
    let mut good = true;
    for property in model.properties() {
        let found = checker.discovery(property.name);
        let (as_it_must_be, word) = match (&property.expectation, &found) {
            (Expectation::Sometimes, Some(_)) => (true, "happens"),
            (Expectation::Sometimes, None) => (false, "NEVER HAPPENS"),
            (_, None) => (true, "holds"),
            (_, Some(_)) => (false, "FAILS"),
        };
        println!("    {word:<8} {}", property.name);
        if let (false, Some(path)) = (as_it_must_be, found) {
            print_path(path);
        }
        good &= as_it_must_be;
    }
    good
}

fn refute<M: Checked>(control: Control<M>, show: bool) -> bool {
    let mut shortest: Option<Path<M::State, M::Action>> = None;
    let mut states = 0;
    // The checker stops a little after the first counterexample, and keeps the last it met: look for a shorter one.
    loop {
        let builder =
            control.model.clone().checker().finish_when(HasDiscoveries::AnyOf(BTreeSet::from([control.refuted])));
        let builder = match &shortest {
            Some(path) => builder.target_max_depth(path.clone().into_vec().len()),
            None => builder,
        };
        let checker = builder.spawn_bfs().join();
        let Some(path) = checker.discovery(control.refuted) else { break };
        if shortest.is_none() {
            states = checker.unique_state_count();
        }
        shortest = Some(path);
    }
    let Some(path) = shortest else {
        println!("    NOT REFUTED: {}", control.name);
        return false;
    };
    let steps = path.clone().into_actions().len();
    println!("    refuted in {steps:>2} steps, {states:>6} states: {}; not: {}", control.name, control.refuted);
    if show {
        print_path(path);
    }
    true
}

fn print_path<S, A: Debug>(path: Path<S, A>) {
    for action in path.into_vec().into_iter().filter_map(|(_, action)| action) {
        println!("      {action:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::{check, Control};
    use crate::herald::Herald;

    #[test]
    fn a_control_that_breaks_nothing_is_a_failure() {
        let model = Herald::new(2, 2, 0, 1);
        let name = "nobody sends once a later owner has sent";
        assert!(!check("herald", vec![], vec![Control { name: "nothing", refuted: name, model }], false));
    }

    #[test]
    fn a_property_that_fails_is_a_failure() {
        let broken = Herald::new(2, 2, 1, 1).controls().swap_remove(0).model;
        assert!(!check("herald", vec![broken], vec![], false));
    }
}
