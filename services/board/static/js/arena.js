// One arena as the whole page sees it: what the list of arenas says, its fairness, the alerts that fire, its stream.

import { byModel, byWeight, what, who } from "./alert.js";
import { announce } from "./announce.js";
import { listen } from "./stream.js";

/** Tells `alerts`, `fairness`, `condition` and `stopped` when they change. */
export class Arena extends EventTarget {
  alerts = null;
  fairness = null;
  condition = { state: "connecting", since: Date.now() / 1000 };
  /** Folds that cannot go on with this arena, and since when. */
  stopped = [];
  #ends = [];
  #known = null;

  constructor(name, source) {
    super();
    this.name = name;
    this.source = source;
    this.path = `arenas/${encodeURIComponent(name)}`;
    this.#ends = [
      source.watch(`${this.path}/alerts?status=firing`, ["alert", "fairness"], (data) => this.#take(data.alerts)),
      source.watch(`${this.path}/fairness`, ["fairness"], (data) => {
        this.fairness = data;
        this.#tell("fairness");
      }),
      listen(
        name,
        (condition) => {
          this.condition = condition;
          this.#tell("condition");
        },
        (kind, data) => this.#hear(kind, data),
      ),
    ];
  }

  /** Firing alerts of models, the worst of each. */
  get marks() {
    return byModel(this.alerts ?? []);
  }

  /** Call back on what this tells; ends with the signal. */
  on(kind, callback, signal) {
    this.addEventListener(kind, callback, { signal });
  }

  /** Take from the entries of /v1/arenas what is stopped of this one. */
  knowStopped(arenas) {
    const stopped = arenas.find((each) => each.arena === this.name)?.stopped ?? [];
    if (JSON.stringify(stopped) === JSON.stringify(this.stopped)) return;
    this.stopped = stopped;
    this.#tell("stopped");
  }

  close() {
    for (const end of this.#ends) end();
  }

  #take(alerts) {
    this.alerts = [...alerts].sort(byWeight);
    const ids = new Set(alerts.map((each) => each.id));
    for (const alert of this.alerts) {
      if (this.#known && !this.#known.has(alert.id)) {
        announce(`New ${alert.severity} alert: ${who(alert)} ${what(alert)}.`, { urgent: true });
      }
    }
    this.#known = ids;
    this.#tell("alerts");
  }

  #hear(kind, data) {
    if (kind === "reset") this.source.changed();
    else if (kind === "board") for (const board of data.boards ?? []) this.source.changed(`board:${board}`);
    else this.source.changed(kind);
  }

  #tell(kind) {
    this.dispatchEvent(new Event(kind));
  }
}
