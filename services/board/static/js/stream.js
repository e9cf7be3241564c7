// The stream of events: what changed, and whether it still comes.

import { place } from "./read.js";

const AGAIN_SECONDS = 5;

/** @typedef {{state: "connecting"|"live"|"behind"|"stopped"|"gone", since: number, lag?: number, away?: "redis"|"kafka", stage?: "ratings"|"fairness", ours?: boolean}} Condition */

/**
 * Listen to an arena.
 *
 * `tell(condition)` is called when the state of the stream changes; `ours` is true where it is the way from here to the
 * board that broke. `event(kind, data)` is called for `board`, `fairness`, `alert` and `reset`, the latter also at the
 * beginning and after a break, when anything may have been missed. Returns a function that ends it.
 */
export function listen(arena, tell, event) {
  let source = null;
  let timer = 0;
  let broken = false;
  let ended = false;

  function open() {
    source = new EventSource(place(`arenas/${encodeURIComponent(arena)}/events`));
    source.onopen = () => {
      broken = false; // what the state is, the board says next
      event("reset", {}); // something may have changed between what was read and the first event
    };
    source.onerror = () => {
      if (!broken) tell({ state: "gone", since: now(), ours: true });
      broken = true;
      if (source.readyState === EventSource.CLOSED && !ended) {
        // Refused rather than cut: the browser leaves it at that.
        clearTimeout(timer);
        timer = setTimeout(open, 1000 * AGAIN_SECONDS);
      }
    };
    for (const kind of ["board", "fairness", "alert", "stopped", "reset"]) {
      source.addEventListener(kind, (message) => event(kind, JSON.parse(message.data || "{}")));
    }
    source.addEventListener("stream", (message) => tell(JSON.parse(message.data)));
  }

  tell({ state: "connecting", since: now() });
  open();
  return () => {
    ended = true;
    clearTimeout(timer);
    source.close();
  };
}

const now = () => Date.now() / 1000;
