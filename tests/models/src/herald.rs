//! The herald's lease: claims in the log `deliveries`, confirmed by the log's end. Mirrors services/herald:
//! lease.py, inbox.py, dispatcher.py, delivery_log.py, and sender.py as far as sending goes; one subscription, a few messages.
//!
//! Any herald may claim at any time: the group only proposes. One that does nothing while time passes is frozen, cut off
//! or dead. Times are ages, so time has no bound; clocks of different machines need to agree on nothing but their pace.

use crate::check::Control;
use stateright::{Model, Property};
use std::fmt;

/// `LEASE`, in ticks.
const LEASE: u8 = 2;

#[derive(Clone, Debug)]
pub struct Rules {
    pub lease: bool,
    pub new_owner_waits: bool,
    pub reads_up_to_its_claim: bool,
    pub releases_only_after_its_wait: bool,
    pub late_release_does_not_count: bool,
    pub own_claim_does_not_free: bool,
}

const TRUE: Rules = Rules {
    lease: true,
    new_owner_waits: true,
    reads_up_to_its_claim: true,
    releases_only_after_its_wait: true,
    late_release_does_not_count: true,
    own_claim_does_not_free: true,
};

#[derive(Clone, Debug)]
pub struct Herald {
    pub rules: Rules,
    pub heralds: usize,
    /// Claims in all; a herald that claims again begins a new term.
    pub claims: usize,
    pub releases: u8,
    pub messages: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Record {
    Claim { by: usize },
    Released { by: usize },
    Delivered { message: usize },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
struct Process {
    /// Offset of its claim; none while it stands by.
    claim: Option<usize>,
    /// How much of the log its term has read.
    read: usize,
    /// A question for the log's end: the answer, and how long ago it was asked.
    asked: Option<(usize, u8)>,
    /// Age of the confirmation, `LEASE` when there is none that holds.
    confirmed: u8,
    /// Ticks until it may send (`not_before`).
    wait: u8,
    /// Messages that this term knows to be delivered, a bit each.
    known: u8,
    /// A body that went out, its answer not in yet.
    under_way: Option<usize>,
    /// An answer that is to be written down; `true` once the producer has it. It may reach the log late.
    writing: Option<(usize, bool)>,
    /// A release that the producer has.
    releasing: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    log: Vec<Record>,
    processes: Vec<Process>,
    releases: u8,
    /// Messages of which a body went out.
    sent: u8,
    /// The latest claim under which a body went out.
    newest_sender: usize,
    overtaken: bool,
    needless: bool,
    out_of_order: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    Tick,
    Claim(usize),
    Read(usize),
    Ask(usize),
    Confirm(usize),
    Send(usize),
    Answer(usize),
    Write(usize),
    Land(usize),
    Release(usize),
    LandRelease(usize),
}

impl Model for Herald {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let standby = Process { confirmed: LEASE, ..Process::default() };
        vec![State {
            log: vec![],
            processes: vec![standby; self.heralds],
            releases: self.releases,
            sent: 0,
            newest_sender: 0,
            overtaken: false,
            needless: false,
            out_of_order: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let claims = state.log.iter().filter(|record| matches!(record, Record::Claim { .. })).count();
        for (by, it) in state.processes.iter().enumerate() {
            // Heralds differ in nothing but their names: of those that never claimed, the first will do.
            let fresh = |by| !state.log.contains(&Record::Claim { by });
            if claims < self.claims && !it.releasing && !(by > 0 && fresh(by - 1)) {
                actions.push(Action::Claim(by));
            }
            if it.releasing {
                actions.push(Action::LandRelease(by));
            }
            if it.writing.is_some_and(|(_, given)| given) {
                actions.push(Action::Land(by)); // also when its term is over: what the producer has may come late
            }
            let Some(claim) = it.claim else { continue };
            if it.read < state.log.len() {
                actions.push(Action::Read(by));
            }
            if it.read > claim && it.asked.is_none() {
                actions.push(Action::Ask(by));
            }
            if it.asked.is_some_and(|(end, _)| it.read >= end) {
                actions.push(Action::Confirm(by)); // `Inbox.confirm`
            }
            // `Lease.holds`
            let holds = it.confirmed < LEASE;
            let begun = (it.read > claim || !self.rules.reads_up_to_its_claim) && it.wait == 0;
            let at_rest = it.under_way.is_none() && it.writing.is_none();
            if begun && at_rest && (holds || !self.rules.lease) && self.next(it).is_some() {
                actions.push(Action::Send(by));
            }
            if it.under_way.is_some() {
                actions.push(Action::Answer(by));
            }
            if it.writing.is_some_and(|(_, given)| !given) && (holds || !self.rules.lease) {
                actions.push(Action::Write(by)); // `DeliveryLog.write`
            }
            let may_release = it.read > claim && (it.wait == 0 || !self.rules.releases_only_after_its_wait);
            if may_release && at_rest && state.releases > 0 {
                actions.push(Action::Release(by));
            }
        }
        actions.push(Action::Tick);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Tick => next.processes.iter_mut().for_each(tick),
            Action::Claim(by) => {
                let it = &mut next.processes[by];
                // A new term begins with nothing; what the producer of the old one still has stays on its way.
                let writing = it.writing.filter(|(_, given)| *given);
                let wait = if self.rules.new_owner_waits { LEASE } else { 0 };
                *it = Process { claim: Some(next.log.len()), confirmed: LEASE, wait, writing, ..Process::default() };
                next.log.push(Record::Claim { by });
            }
            Action::Read(by) => self.read(&mut next, by),
            Action::Ask(by) => next.processes[by].asked = Some((next.log.len(), 0)),
            Action::Confirm(by) => next.processes[by].confirmed = next.processes[by].asked.take()?.1,
            Action::Send(by) => self.send(&mut next, by)?,
            Action::Answer(by) => {
                let message = next.processes[by].under_way.take()?;
                next.processes[by].writing = Some((message, false));
            }
            Action::Write(by) => next.processes[by].writing.as_mut()?.1 = true,
            Action::Land(by) => {
                let (message, _) = next.processes[by].writing.take()?;
                if next.processes[by].claim.is_some() {
                    next.processes[by].known |= 1 << message;
                }
                next.log.push(Record::Delivered { message });
            }
            Action::Release(by) => {
                stand_by(&mut next.processes[by]);
                next.processes[by].releasing = true;
                next.releases -= 1;
            }
            Action::LandRelease(by) => {
                next.processes[by].releasing = false;
                next.log.push(Record::Released { by });
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nobody sends once a later owner has sent", |_, state: &State| !state.overtaken),
            Property::always("what was written down before the claim is not sent again", |_, state: &State| {
                !state.needless
            }),
            Property::always(
                "a message goes out for the first time after those before it are delivered",
                |_, state: &State| !state.out_of_order,
            ),
            Property::always("an owner without anything to send has delivered all", |model, state: &State| {
                let delivered = |message| state.log.contains(&Record::Delivered { message });
                state
                    .processes
                    .iter()
                    .all(|it| it.claim.is_none() || model.next(it).is_some() || (0..model.messages).all(delivered))
            }),
            Property::always("who claimed last stays the owner until it releases", |_, state: &State| {
                let last = state.log.iter().rposition(|record| matches!(record, Record::Claim { .. }));
                last.is_none_or(|claim| {
                    let Record::Claim { by } = state.log[claim] else { return false };
                    let released =
                        state.processes[by].releasing || state.log[claim..].contains(&Record::Released { by });
                    released || state.processes[by].claim == Some(claim)
                })
            }),
            Property::sometimes("all is delivered, after every claim and release", |model, state: &State| {
                let delivered = |message| state.log.contains(&Record::Delivered { message });
                (0..model.messages).all(delivered) && state.releases == 0 && state.newest_sender >= model.claims - 1
            }),
            Property::sometimes("a message is sent again: its attempt was cut off", |_, state: &State| {
                state.processes.iter().filter(|it| it.under_way == Some(0)).count() > 1
            }),
        ]
    }
}

impl Herald {
    /// The message that the lane is at: those before it are delivered.
    fn next(&self, it: &Process) -> Option<usize> {
        (0..self.messages).find(|message| it.known & 1 << message == 0)
    }

    /// `Sender._attempt`, from the last look to the body: microseconds, taken as one step.
    fn send(&self, state: &mut State, by: usize) -> Option<()> {
        let it = &mut state.processes[by];
        let (claim, message) = (it.claim?, self.next(it)?);
        it.under_way = Some(message);
        state.overtaken |= claim < state.newest_sender;
        state.newest_sender = state.newest_sender.max(claim);
        state.needless |= state.log[..claim].contains(&Record::Delivered { message });
        let delivered = |message| state.log.contains(&Record::Delivered { message });
        state.out_of_order |= state.sent & 1 << message == 0 && !(0..message).all(delivered);
        state.sent |= 1 << message;
        Some(())
    }

    /// `Inbox.read` and `Inbox.up_to`: one record.
    fn read(&self, state: &mut State, by: usize) {
        let State { log, processes, .. } = state;
        let it = &mut processes[by];
        let (Some(claim), offset) = (it.claim, it.read) else { return };
        it.read += 1;
        match log[offset] {
            Record::Delivered { message } => it.known |= 1 << message,
            // `Dispatcher._take_over`: whom our claim follows.
            Record::Claim { .. } if offset == claim => {
                if self.frees(&log[..offset], by) {
                    it.wait = 0;
                }
            }
            Record::Claim { by: other } if offset > claim && other != by => stand_by(it),
            Record::Released { by: other }
                if offset > claim && other != by && !self.rules.late_release_does_not_count =>
            {
                stand_by(it)
            }
            _ => {}
        }
    }

    /// Whether a claim that follows this need not wait: there was none, or the last one's writer has stopped.
    fn frees(&self, before: &[Record], by: usize) -> bool {
        let mut last = None;
        for record in before {
            match (*record, last) {
                (Record::Claim { by }, _) => last = Some((by, false)),
                // A release ends the claim that it follows; one that comes late, behind another's claim, ends nothing.
                (Record::Released { by }, Some((owner, _)))
                    if by == owner || !self.rules.late_release_does_not_count =>
                {
                    last = Some((by, true))
                }
                _ => {}
            }
        }
        last.is_none_or(|(owner, released)| released || owner == by && !self.rules.own_claim_does_not_free)
    }

    pub fn controls(&self) -> Vec<Control<Self>> {
        let without = |name, refuted, switch: fn(&mut Rules)| {
            let mut model = self.clone();
            switch(&mut model.rules);
            Control { name, refuted, model }
        };
        let (overtaken, needless) =
            ("nobody sends once a later owner has sent", "what was written down before the claim is not sent again");
        vec![
            without("no lease: sent without a confirmation that holds", overtaken, |r| r.lease = false),
            without("a new owner does not wait", overtaken, |r| r.new_owner_waits = false),
            without("a new owner does not read up to its claim", needless, |r| {
                (r.reads_up_to_its_claim, r.new_owner_waits, r.lease) = (false, false, false);
            }),
            without("released before its own wait was over", overtaken, |r| r.releases_only_after_its_wait = false),
            without("a release counts behind another's claim", overtaken, |r| r.late_release_does_not_count = false),
            without("a herald's own earlier claim frees it of the wait", overtaken, |r| {
                r.own_claim_does_not_free = false
            }),
        ]
    }

    pub fn new(heralds: usize, claims: usize, releases: u8, messages: usize) -> Self {
        Herald { rules: TRUE, heralds, claims, releases, messages }
    }
}

impl fmt::Display for Herald {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Herald { heralds, claims, releases, messages, .. } = self;
        write!(f, "{heralds} heralds, {claims} claims, {releases} release, {messages} message(s), any time")
    }
}

fn tick(it: &mut Process) {
    it.wait = it.wait.saturating_sub(1);
    it.confirmed = (it.confirmed + 1).min(LEASE);
    if let Some((_, age)) = &mut it.asked {
        *age = (*age + 1).min(LEASE);
    }
}

/// The term is over; what its producer has stays on its way.
fn stand_by(it: &mut Process) {
    let writing = it.writing.filter(|(_, given)| *given);
    *it = Process { confirmed: LEASE, writing, releasing: it.releasing, ..Process::default() };
}
