//! Intake: take a fetch, write it, be acknowledged, commit; and the watermark with which readers of the ledger drop
//! what they know. Mirrors streams/intake/stage.py, streams/intake/accept.py and streams/ledger/watermark.py.
//!
//! Every owner is a new process. One that was replaced goes on acting (a zombie), or never acts again (a crash): the
//! checker tries both, at every step. What an owner sent may be stored at any later time, or never.

use crate::check::Control;
use stateright::{Model, Property};
use std::fmt;
use std::sync::Arc;

const ARENAS: usize = 2;
const IDS: usize = 2;
const MOST: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Record {
    Vote {
        arena: usize,
        id: usize,
    },
    /// Ends a transaction: takes an offset, is never returned by a fetch.
    Marker,
}

#[derive(Clone, Debug)]
pub struct Rules {
    pub commit_after_acknowledgement: bool,
    pub watermark: bool,
    pub one_write_at_a_time: bool,
    pub position_of_the_consumer: bool,
    pub dedup_by_arena_and_id: bool,
    pub memory_rebuilt: bool,
    pub foreign_commit_not_believed: bool,
    pub proof_less_one_fetch: bool,
}

const TRUE: Rules = Rules {
    commit_after_acknowledgement: true,
    watermark: true,
    one_write_at_a_time: true,
    position_of_the_consumer: true,
    dedup_by_arena_and_id: true,
    memory_rebuilt: true,
    foreign_commit_not_believed: true,
    proof_less_one_fetch: true,
};

#[derive(Clone, Debug)]
pub struct Intake {
    pub rules: Rules,
    /// Every votes log of up to so many records is tried.
    pub records: usize,
    /// A fetch spans at most so many offsets.
    pub fetch: usize,
    pub owners: usize,
    /// How often a write is stored again, because its acknowledgement was lost.
    pub repeats: u8,
    /// How often an operator moves the group's offset.
    pub resets: u8,
}

/// `ledger.codec.Block`: rows (a bit for each offset) of one arena; nothing below `through` is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Block {
    rows: u8,
    through: usize,
    stored: bool,
}

/// A fetch that is being written: one block for each arena, side by side (`IntakeStage._write`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Fetch {
    upto: usize,
    blocks: [Option<Block>; ARENAS],
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Owner {
    position: usize,
    /// `SeenIds`.
    seen: u8,
    writing: Vec<Fetch>,
    /// What may be committed, and is not yet.
    acknowledged: Option<usize>,
}

/// The ledger is kept as what its readers made of it: a fold is a function of the ledger, so nothing else matters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
struct Ledger {
    /// How often the record at each offset was counted.
    counted: [u8; MOST],
    /// Per arena, one more than the highest source offset counted.
    watermark: [usize; ARENAS],
    last: [usize; ARENAS],
    out_of_order: bool,
    /// One more than the highest `through` in it: what it proves.
    proves: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    log: Arc<[Record]>,
    committed: usize,
    /// Whether the commit carries our metadata.
    ours: bool,
    /// Kafka lets an operator move the offsets only of a group without members.
    empty: bool,
    owners: Vec<Owner>,
    ledger: Ledger,
    repeats: u8,
    resets: u8,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Take { owner: usize, upto: usize },
    Store { owner: usize, fetch: usize, arena: usize },
    Acknowledge { owner: usize },
    Commit,
    TakeOver,
    Reset { to: usize },
}

impl Model for Intake {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        logs(self.records)
            .into_iter()
            .map(|log| {
                let mut state = State {
                    log: log.into(),
                    committed: 0,
                    ours: true,
                    empty: false,
                    owners: vec![],
                    ledger: Ledger::default(),
                    repeats: self.repeats,
                    resets: self.resets,
                };
                self.take_over(&mut state);
                state
            })
            .collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (owner, it) in state.owners.iter().enumerate() {
            // `process`: the next fetch is begun only after the acknowledgement of the one before (`_finish_writing`).
            if it.writing.len() < if self.rules.one_write_at_a_time { 1 } else { 2 } {
                let last = state.log.len().min(it.position + self.fetch);
                actions.extend((it.position + 1..=last).map(|upto| Action::Take { owner, upto }));
            }
            for (fetch, being) in it.writing.iter().enumerate() {
                for (arena, block) in being.blocks.iter().enumerate() {
                    if block.is_some_and(|block| !block.stored || state.repeats > 0) {
                        actions.push(Action::Store { owner, fetch, arena });
                    }
                }
            }
            if it.writing.first().is_some_and(|fetch| fetch.blocks.iter().flatten().all(|block| block.stored)) {
                actions.push(Action::Acknowledge { owner });
            }
        }
        if !state.empty && state.owners.last().is_some_and(|owner| owner.acknowledged.is_some()) {
            actions.push(Action::Commit);
        }
        if state.owners.len() < self.owners {
            actions.push(Action::TakeOver);
            if state.resets > 0 {
                actions.extend((0..=state.log.len()).map(|to| Action::Reset { to }));
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Take { owner, upto } => self.take(&mut next, owner, upto)?,
            Action::Store { owner, fetch, arena } => {
                let block = next.owners[owner].writing[fetch].blocks[arena].as_mut()?;
                next.repeats -= u8::from(block.stored);
                block.stored = true;
                let block = *block;
                self.read(&mut next.ledger, arena, block);
            }
            Action::Acknowledge { owner } => {
                let newest = owner + 1 == next.owners.len();
                let it = &mut next.owners[owner];
                let fetch = it.writing.remove(0);
                if self.rules.commit_after_acknowledgement && newest {
                    it.acknowledged = Some(fetch.upto);
                }
            }
            Action::Commit => {
                next.committed = next.owners.last_mut()?.acknowledged.take()?;
                next.ours = true;
            }
            Action::TakeOver => self.take_over(&mut next),
            Action::Reset { to } => {
                (next.committed, next.ours, next.empty) = (to, false, true);
                next.resets -= 1;
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no vote is counted twice, and of equal ones the first", |_, state: &State| {
                (0..state.log.len())
                    .all(|offset| state.ledger.counted[offset] <= u8::from(is_first(&state.log, offset)))
            }),
            Property::always("votes of an arena are counted in order", |_, state: &State| !state.ledger.out_of_order),
            Property::always("when the owner is idle, every vote is counted", |model, state: &State| {
                !model.idle(state)
                    || (0..state.log.len())
                        .all(|offset| state.ledger.counted[offset] == u8::from(is_first(&state.log, offset)))
            }),
            Property::always("when the owner is idle, the lag is 0", |model, state: &State| {
                !model.idle(state) || state.committed == state.log.len()
            }),
            Property::sometimes("all is done, after every take-over and the operator", |model, state: &State| {
                model.idle(state) && state.owners.len() == model.owners && state.resets == 0 && state.log.len() > 2
            }),
            Property::sometimes("a zombie's write is stored after its successor's", |_, state: &State| {
                let stored = |owner: &Owner| owner.writing.iter().flat_map(|f| f.blocks).flatten().any(|b| b.stored);
                state.owners.len() > 1 && stored(&state.owners[0]) && state.ledger.proves > state.owners[0].position
            }),
        ]
    }
}

impl Intake {
    /// `IntakeStage.assigned` and streams/intake/begin.py, place.py: where to begin, and the id memory in front of it.
    fn take_over(&self, state: &mut State) {
        let position = if state.ours || !self.rules.foreign_commit_not_believed {
            state.committed
        } else {
            // A commit that is not ours proves nothing; the ledger does. But the blocks of one fetch are written side by
            // side, and each carries the fetch's end: that one is there does not prove the others.
            let unproven = if self.rules.proof_less_one_fetch { self.fetch } else { 0 };
            state.ledger.proves.saturating_sub(unproven).min(state.committed)
        };
        let known = if self.rules.memory_rebuilt { &state.log[..position] } else { &[] };
        let seen = known.iter().filter_map(|record| self.mark(record)).fold(0, |seen, mark| seen | 1 << mark);
        if let Some(replaced) = state.owners.last_mut() {
            replaced.acknowledged = None; // Kafka refuses the commit of a member that was replaced
        }
        state.owners.push(Owner { position, seen, writing: vec![], acknowledged: None });
        state.empty = false;
    }

    /// `_decide`, and the beginning of `_write`.
    fn take(&self, state: &mut State, owner: usize, upto: usize) -> Option<()> {
        let newest = owner + 1 == state.owners.len();
        let it = &mut state.owners[owner];
        let mut fetch = Fetch { upto, blocks: [None; ARENAS] };
        let mut last = None;
        for offset in it.position..upto {
            let record = state.log[offset];
            let (Record::Vote { arena, .. }, Some(mark)) = (record, self.mark(&record)) else { continue };
            last = Some(offset);
            if it.seen & 1 << mark == 0 {
                fetch.blocks[arena].get_or_insert(Block { rows: 0, through: 0, stored: false }).rows |= 1 << offset;
            }
            it.seen |= 1 << mark;
        }
        for block in fetch.blocks.iter_mut().flatten() {
            block.through = last?;
        }
        if !self.rules.position_of_the_consumer {
            fetch.upto = last? + 1; // a fetch that returns nothing moves nothing
        }
        it.position = fetch.upto;
        if !self.rules.commit_after_acknowledgement && newest {
            it.acknowledged = Some(fetch.upto);
        }
        it.writing.push(fetch);
        Some(())
    }

    /// `unknown_rows` and `count_rows`, in every reader of the ledger.
    fn read(&self, ledger: &mut Ledger, arena: usize, block: Block) {
        for offset in (0..MOST).filter(|offset| block.rows & 1 << offset != 0) {
            if self.rules.watermark && offset < ledger.watermark[arena] {
                continue;
            }
            ledger.counted[offset] = (ledger.counted[offset] + 1).min(2);
            ledger.out_of_order |= offset + 1 < ledger.last[arena];
            ledger.last[arena] = offset + 1;
        }
        ledger.watermark[arena] = ledger.watermark[arena].max(block.through + 1);
        ledger.proves = ledger.proves.max(block.through + 1);
    }

    fn mark(&self, record: &Record) -> Option<usize> {
        match *record {
            Record::Vote { arena, id } if self.rules.dedup_by_arena_and_id => Some(arena * IDS + id),
            Record::Vote { id, .. } => Some(id),
            Record::Marker => None,
        }
    }

    /// Whether the newest owner has nothing left to do.
    fn idle(&self, state: &State) -> bool {
        let mut actions = vec![];
        self.actions(state, &mut actions);
        let newest = state.owners.len() - 1;
        !state.empty
            && actions.into_iter().all(|action| match action {
                Action::Take { owner, upto } => owner != newest || self.take(&mut state.clone(), owner, upto).is_none(),
                Action::Store { owner, .. } | Action::Acknowledge { owner } => owner != newest,
                Action::Commit => false,
                Action::TakeOver | Action::Reset { .. } => true,
            })
    }

    pub fn controls(&self) -> Vec<Control<Self>> {
        let without = |name, refuted, switch: fn(&mut Rules)| {
            let mut model = self.clone();
            switch(&mut model.rules);
            Control { name, refuted, model }
        };
        let (twice, lost, lag) = (
            "no vote is counted twice, and of equal ones the first",
            "when the owner is idle, every vote is counted",
            "when the owner is idle, the lag is 0",
        );
        vec![
            without("commit before acknowledgement", lost, |r| r.commit_after_acknowledgement = false),
            without("no watermark in the reader", twice, |r| r.watermark = false),
            without("two writes in flight", lost, |r| r.one_write_at_a_time = false),
            without("positions are the last record + 1", lag, |r| r.position_of_the_consumer = false),
            without("dedup by id alone", lost, |r| r.dedup_by_arena_and_id = false),
            without("id memory not rebuilt", twice, |r| r.memory_rebuilt = false),
            without("a foreign commit is believed", lost, |r| r.foreign_commit_not_believed = false),
            without("the ledger's highest `through` is taken for proof", lost, |r| r.proof_less_one_fetch = false),
        ]
    }

    pub fn new(records: usize, owners: usize) -> Self {
        Intake { rules: TRUE, records, fetch: 2, owners, repeats: 1, resets: 1 }
    }
}

impl fmt::Display for Intake {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Intake { records, fetch, owners, repeats, resets, .. } = self;
        write!(f, "every votes log of up to {records} records, fetches of up to {fetch}, {owners} owners, {repeats} repeated write, {resets} reset")
    }
}

/// Whether a record is a vote, and the first with its arena and id: it counts, and it alone.
fn is_first(log: &[Record], offset: usize) -> bool {
    log[offset] != Record::Marker && !log[..offset].contains(&log[offset])
}

/// Every log of up to so many records; of those that differ only in the names of arenas and ids, one.
fn logs(most: usize) -> Vec<Vec<Record>> {
    let mut all = vec![vec![]];
    let mut longest = all.clone();
    for _ in 0..most {
        longest = longest
            .iter()
            .flat_map(|log| following(log).into_iter().map(|record| [&log[..], &[record]].concat()))
            .collect();
        all.extend(longest.clone());
    }
    all
}

fn following(log: &[Record]) -> Vec<Record> {
    let votes = || {
        log.iter().filter_map(|record| if let Record::Vote { arena, id } = record { Some((*arena, *id)) } else { None })
    };
    let arenas = votes().map(|(arena, _)| arena + 1).max().unwrap_or(0);
    let ids = votes().map(|(_, id)| id + 1).max().unwrap_or(0);
    let mut records = vec![Record::Marker];
    for arena in 0..ARENAS.min(arenas + 1) {
        records.extend((0..IDS.min(ids + 1)).map(|id| Record::Vote { arena, id }));
    }
    records
}
