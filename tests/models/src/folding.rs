//! Folding: take over, fold the ledger, publish, save; and the epoch and the serial that guard Redis. Mirrors
//! streams/fold/take_over.py, streams/fold/runner.py and streams/fold/redis_store.py, for one arena in one partition
//! of the ledger.
//!
//! What a fold knows is a function of how far it read (src/intake.rs is about that function), so a state is a position
//! and a board is the number of votes before it. Every owner is a new process; one that was replaced goes on acting.

use crate::check::Control;
use stateright::{Model, Property};
use std::fmt;

/// The ledger's first record is another arena's; each of the others is the arena's, with one vote.
fn votes(position: usize) -> usize {
    position.saturating_sub(1)
}

#[derive(Clone, Debug)]
pub struct Rules {
    pub nothing_published_before_the_end_at_take_over: bool,
    pub end_asked_after_the_claim: bool,
    pub new_arena_held_back_too: bool,
    pub epoch_fence_of_saves: bool,
    pub serial: bool,
}

const TRUE: Rules = Rules {
    nothing_published_before_the_end_at_take_over: true,
    end_asked_after_the_claim: true,
    new_arena_held_back_too: true,
    epoch_fence_of_saves: true,
    serial: true,
};

#[derive(Clone, Debug)]
pub struct Folding {
    pub rules: Rules,
    /// Length of the ledger.
    pub records: usize,
    pub owners: usize,
    /// How often Redis loses everything, or comes back as it was at a moment before.
    pub losses: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
struct Owner {
    /// 0 before the arena is claimed.
    epoch: u8,
    serial: u8,
    /// Where the partition is read, and where the arena's state stands.
    position: usize,
    arena: usize,
    quiet_until: usize,
    /// The listing was read and names the arena, which is not claimed yet.
    starting: bool,
    fenced: bool,
    publish_due: bool,
    save_due: bool,
    /// A listing that is to follow the save: its position, and whether it names the arena.
    list_due: Option<(usize, bool)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
struct Redis {
    epoch: u8,
    serial: u8,
    state: Option<usize>,
    listing: Option<(usize, bool)>,
    board: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    end: usize,
    redis: Redis,
    /// What Redis will come back with, once the moment is chosen.
    replica: Option<Redis>,
    owners: Vec<Owner>,
    /// Redis's clock, as far as claims see it: it grows.
    clock: u8,
    losses: u8,
    /// Redis lost something, epochs too, and who claimed last has not published since: readers may see anything.
    lost: bool,
    seen: usize,
    backwards: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    Append,
    TakeOver,
    Claim(usize),
    Fold(usize),
    Publish(usize),
    Save(usize),
    List(usize),
    /// Once a second; here only when the answer changes something.
    Check(usize),
    Replicate,
    Flush,
    Failover,
}

#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    Refused,
    Done,
    Lost,
}

impl Model for Folding {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut state = State {
            end: 0,
            redis: Redis::default(),
            replica: None,
            owners: vec![],
            clock: 0,
            losses: self.losses,
            lost: false,
            seen: 0,
            backwards: false,
        };
        self.take_over(&mut state);
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (number, owner) in state.owners.iter().enumerate().filter(|(_, owner)| !owner.fenced) {
            if owner.starting {
                actions.push(Action::Claim(number));
                continue;
            }
            if owner.list_due.is_some() {
                actions.push(Action::List(number)); // `_save_all` is one step of the owner's loop
                continue;
            }
            if owner.position < state.end {
                actions.push(Action::Fold(number));
            }
            // `_publish_all`
            let held = self.rules.nothing_published_before_the_end_at_take_over && owner.position < owner.quiet_until;
            if owner.publish_due && !held {
                actions.push(Action::Publish(number));
            }
            if owner.save_due {
                actions.push(Action::Save(number));
            }
            if owner.epoch > 0 && self.fence(&state.redis, owner) != Outcome::Done {
                actions.push(Action::Check(number));
            }
        }
        if state.end < self.records {
            actions.push(Action::Append);
        }
        if state.owners.len() < self.owners {
            actions.push(Action::TakeOver);
        }
        if state.losses > 0 {
            actions.push(Action::Flush);
            actions.push(if state.replica.is_none() { Action::Replicate } else { Action::Failover });
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Append => next.end += 1,
            Action::TakeOver => self.take_over(&mut next),
            Action::Claim(number) => {
                self.claim(&mut next, number);
                let owner = &mut next.owners[number];
                // `_restore`: without a state the arena is folded from the ledger's start.
                owner.arena = next.redis.state.unwrap_or(0);
                owner.position = owner.position.min(owner.arena);
                owner.publish_due = votes(owner.arena) > 0;
                owner.starting = false;
                if self.rules.end_asked_after_the_claim {
                    owner.quiet_until = next.end;
                }
            }
            Action::Fold(number) => self.fold(&mut next, number),
            Action::Publish(number) => self.publish(&mut next, number),
            Action::Save(number) => {
                let owner = &mut next.owners[number];
                owner.arena = owner.arena.max(owner.position);
                if owner.epoch > 0 {
                    let outcome =
                        if self.rules.epoch_fence_of_saves { self.fence(&next.redis, owner) } else { Outcome::Done };
                    if outcome != Outcome::Done {
                        self.heed(&mut next, number, outcome);
                        next.forget();
                        return Some(next);
                    }
                    save(&mut next.redis, owner);
                }
                owner.save_due = false;
                owner.list_due = Some((owner.position, owner.epoch > 0));
            }
            Action::List(number) => next.redis.listing = next.owners[number].list_due.take(), // not fenced
            Action::Check(number) => {
                let outcome = self.fence(&next.redis, &next.owners[number]);
                self.heed(&mut next, number, outcome);
            }
            Action::Replicate => next.replica = Some(next.redis.clone()),
            Action::Flush | Action::Failover => {
                next.redis = if action == Action::Flush { Redis::default() } else { next.replica.take()? };
                next.losses -= 1;
                next.lost = true;
            }
        }
        next.forget();
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "no board has fewer votes than an earlier one, unless Redis lost it",
                |_, state: &State| !state.backwards,
            ),
            Property::always("when the owner is idle, the board has every vote", |model, state: &State| {
                !model.idle(state) || state.redis.board == votes(state.end)
            }),
            Property::sometimes("all is done, after every take-over and every loss", |model, state: &State| {
                model.idle(state)
                    && state.owners.len() == model.owners
                    && state.losses == 0
                    && state.end == model.records
            }),
            Property::sometimes("a zombie is refused", |_, state: &State| {
                state.owners.len() > 1 && state.owners[0].fenced
            }),
        ]
    }
}

impl State {
    /// Drop what no step will ask for, so that equal futures are one state: what a fenced owner knew, a replica that
    /// cannot come back, and by how much one serial is larger than another.
    fn forget(&mut self) {
        for owner in self.owners.iter_mut().filter(|owner| owner.fenced) {
            *owner = Owner { fenced: true, ..Owner::default() };
        }
        self.replica.take_if(|_| self.losses == 0);
        for epoch in 1..=self.clock {
            let of_owners = self.owners.iter_mut().filter(|it| it.epoch == epoch).map(|it| &mut it.serial);
            let of_redis = [Some(&mut self.redis), self.replica.as_mut()].into_iter().flatten();
            let mut serials: Vec<&mut u8> =
                of_owners.chain(of_redis.filter(|it| it.epoch == epoch).map(|it| &mut it.serial)).collect();
            let mut ranks: Vec<u8> = serials.iter().map(|serial| **serial).collect();
            ranks.sort_unstable();
            ranks.dedup();
            for serial in &mut serials {
                **serial = ranks.iter().position(|rank| *rank == **serial).unwrap_or(0) as u8;
            }
        }
    }
}

impl Folding {
    /// `_take_over`, up to the claim: the listing, and the ledger's end.
    fn take_over(&self, state: &mut State) {
        let (position, starting) = state.redis.listing.unwrap_or((0, false));
        state.owners.push(Owner { position, starting, quiet_until: state.end, ..Owner::default() });
    }

    /// `Store.claim`.
    fn claim(&self, state: &mut State, number: usize) {
        state.clock += 1;
        (state.redis.epoch, state.redis.serial) = (state.clock, 0);
        (state.owners[number].epoch, state.owners[number].serial) = (state.clock, 0);
    }

    /// `_take`.
    fn fold(&self, state: &mut State, number: usize) {
        let offset = state.owners[number].position;
        let ours = votes(offset + 1) > votes(offset);
        if ours && state.owners[number].epoch == 0 {
            // An arena that is met for the first time: a predecessor that does not know of us may have published it.
            self.claim(state, number);
            if self.rules.new_arena_held_back_too {
                state.owners[number].quiet_until = state.end;
            }
        }
        let owner = &mut state.owners[number];
        owner.publish_due |= ours && offset >= owner.arena;
        owner.position += 1;
        owner.arena = owner.arena.max(owner.position);
        owner.save_due = true;
    }

    fn publish(&self, state: &mut State, number: usize) {
        let claimed_last = state.owners[number].epoch == state.clock;
        let owner = &mut state.owners[number];
        let outcome = self.fence(&state.redis, owner);
        if outcome != Outcome::Done {
            return self.heed(state, number, outcome);
        }
        owner.publish_due = false;
        owner.serial += 1;
        state.redis.serial = owner.serial;
        state.redis.board = votes(owner.arena);
        if state.lost && claimed_last {
            (state.lost, state.seen) = (false, 0);
        }
        if !state.lost {
            state.backwards |= state.redis.board < state.seen;
            state.seen = state.redis.board;
        }
    }

    /// `FENCE` in streams/fold/redis_scripts.py.
    fn fence(&self, redis: &Redis, owner: &Owner) -> Outcome {
        if redis.epoch > owner.epoch {
            Outcome::Refused
        } else if redis.epoch < owner.epoch || self.rules.serial && redis.serial < owner.serial {
            Outcome::Lost
        } else {
            Outcome::Done
        }
    }

    /// `_heed`: stop when another owns the arena; write everything again when Redis lost it.
    fn heed(&self, state: &mut State, number: usize, outcome: Outcome) {
        let owner = &mut state.owners[number];
        if outcome == Outcome::Refused {
            owner.fenced = true;
            return;
        }
        save(&mut state.redis, owner);
        (owner.publish_due, owner.save_due) = (votes(owner.arena) > 0, true);
    }

    /// Whether the newest owner has nothing left to do.
    fn idle(&self, state: &State) -> bool {
        let mut actions = vec![];
        self.actions(state, &mut actions);
        let newest = state.owners.len() - 1;
        !state.owners[newest].fenced
            && !actions.into_iter().any(|action| match action {
                Action::Claim(it)
                | Action::Fold(it)
                | Action::Publish(it)
                | Action::Save(it)
                | Action::List(it)
                | Action::Check(it) => it == newest,
                _ => false,
            })
    }

    pub fn controls(&self) -> Vec<Control<Self>> {
        let without = |name, refuted, switch: fn(&mut Rules)| {
            let mut model = self.clone();
            switch(&mut model.rules);
            Control { name, refuted, model }
        };
        let backwards = "no board has fewer votes than an earlier one, unless Redis lost it";
        let stale = "when the owner is idle, the board has every vote";
        vec![
            without("publish during a refold", backwards, |r| r.nothing_published_before_the_end_at_take_over = false),
            without("no epoch fence of saves", backwards, |r| r.epoch_fence_of_saves = false),
            without("no serial in saves", stale, |r| r.serial = false),
            without("the ledger's end is asked before the claim", backwards, |r| r.end_asked_after_the_claim = false),
            without("an arena met after take-over is not held back", backwards, |r| r.new_arena_held_back_too = false),
        ]
    }

    pub fn new(records: usize, owners: usize, losses: u8) -> Self {
        Folding { rules: TRUE, records, owners, losses }
    }
}

impl fmt::Display for Folding {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} ledger records, {} owners, {} loss(es) of Redis", self.records, self.owners, self.losses)
    }
}

/// `_save`: state, epoch and serial in one step.
fn save(redis: &mut Redis, owner: &mut Owner) {
    owner.serial += 1;
    (redis.epoch, redis.serial, redis.state) = (owner.epoch, owner.serial, Some(owner.arena));
}
