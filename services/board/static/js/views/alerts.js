// Alerts: those that fire, the worst first, and those that are over.

import { byWeight } from "../alert.js";
import { arrange, element, setText } from "../dom.js";
import { showJudged, summed } from "../judged.js";
import { count } from "../words.js";
import { card } from "./card.js";
import { state } from "./state.js";

const LIMIT = 200;

/** Draw it into `root`. */
export function open({ arena, route, root }) {
  const ended = new AbortController();
  const cards = new Map();
  let data = null;
  let wanted = route.argument;
  const about = element("p", { class: "about dim" });
  const firing = element("div", { class: "cards" });
  const past = element("div", { class: "cards" });
  const none = element("p", { class: "state" });
  const scope = element("div", { class: "judged" });
  const nonePast = element("p", { class: "dim" }, "None so far.");
  const away = element("p", { class: "notice", hidden: true }, "The log of alerts cannot be read now: those that are over may be missing.");
  const empty = element("p", { class: "state", hidden: true });
  const content = element(
    "div",
    { hidden: true },
    element("section", { "aria-labelledby": "firing" }, element("h2", { id: "firing" }, "Firing"), none, firing),
    element("section", { "aria-labelledby": "judged" }, element("h2", { id: "judged" }, "What was judged"), scope),
    element("section", { "aria-labelledby": "past" }, element("h2", { id: "past" }, "Over"), away, nonePast, past),
  );
  root.append(element("div", { class: "title" }, element("h1", { tabindex: -1 }, "Alerts"), about), content, empty);

  function draw() {
    if (!data) return;
    const levels = arena.fairness?.levels;
    const made = (alert) => {
      const key = JSON.stringify([alert, levels]);
      const known = cards.get(alert.id);
      if (known?.key === key) return known.node;
      const open = known?.node.querySelector("details").open ?? alert.id === wanted;
      const focus = known?.node.contains(document.activeElement);
      const node = card(alert, { arena: arena.name, levels, open });
      cards.set(alert.id, { key, node });
      if (focus) queueMicrotask(() => node.focus({ preventScroll: true }));
      return node;
    };
    const now = data.alerts.filter((alert) => alert.status === "firing").sort(byWeight);
    const over = data.alerts.filter((alert) => alert.status !== "firing").sort((a, b) => (b.ends_at ?? 0) - (a.ends_at ?? 0));
    arrange(firing, now.map(made));
    arrange(past, over.map(made));
    none.hidden = now.length > 0;
    setText(none, `No alert fires. ${summed(data.judged)}`);
    showJudged(scope, data.judged ?? null);
    nonePast.hidden = over.length > 0;
    away.hidden = data.past !== "away";
    content.hidden = false;
    empty.hidden = true;
    const rest = data.total > data.alerts.length ? ` · the newest ${count(data.alerts.length)} are shown` : "";
    setText(about, `${count(now.length)} firing · ${count(over.length)} over${rest}`);
    reveal();
  }

  function reveal() {
    const node = wanted && cards.get(wanted)?.node;
    if (!node?.isConnected) return;
    wanted = null;
    node.querySelector("details").open = true;
    node.scrollIntoView({ block: "start" });
    node.focus({ preventScroll: true });
  }

  const end = arena.source.watch(
    `${arena.path}/alerts?status=all&limit=${LIMIT}`,
    ["alert", "fairness"],
    (received) => {
      data = received;
      draw();
    },
    (error) => data || state(empty, content, error),
  );
  arena.on("fairness", draw, ended.signal);
  return {
    title: "Alerts",
    update(next) {
      wanted = next.argument;
      reveal();
    },
    close() {
      ended.abort();
      end();
    },
  };
}
