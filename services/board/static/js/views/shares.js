// Declared against observed share of every model, sorted by evidence.

import { arrange, element, setAttribute, setText } from "../dom.js";
import { bullet, gauge, grade } from "../draw.js";
import { address } from "../route.js";
import { compare, headings } from "../sorting.js";
import { NONE, count, moment, percent, some } from "../words.js";

const FIRST = 30;
const evidence = (line) => (line.log10_e === null && line.log10_e_removal === null ? null : Math.max(line.log10_e ?? 0, line.log10_e_removal ?? 0));
const ratio = (line) => (line.declared_share_of_battles > 0 && line.seen !== null ? line.seen / line.declared_share_of_battles - 1 : null);
const VALUES = {
  model: (line) => line.model,
  state: (line) => line.state,
  declared: (line) => line.declared_share_of_battles,
  observed: (line) => line.seen,
  off: ratio,
  evidence,
};

/** A section; `show(view)` fills it. */
export function shares(arena, signal) {
  const rows = new Map();
  const order = { key: "evidence", direction: "descending" };
  let data = null;
  let all = false;
  const body = element("tbody");
  const more = element("button", { type: "button", class: "more", hidden: true, onclick: () => ((all = true), draw()) });
  const search = element("input", { type: "search", id: "shares-filter", placeholder: "model, provider, state", autocomplete: "off", spellcheck: "false", oninput: () => draw() });
  const columns = [
    { key: "model", text: "Model", class: "model", first: "ascending" },
    { key: "state", text: "State", class: "state-of", first: "ascending" },
    { key: "declared", text: "Declared", class: "number declared", first: "descending" },
    { key: "observed", text: "Seen", class: "number observed", first: "descending" },
    { key: "picture", text: element("span", {}, "Seen against ", element("span", { class: "key" }, "declared")), class: "picture-of", first: null },
    { key: "off", text: "Off by", class: "number off", first: "ascending" },
    { key: "evidence", text: "Evidence", class: "number evidence", first: "descending" },
    { key: "gauge", text: "Against the levels", class: "gauge-of", first: null },
  ];
  const table = element("table", { class: "shares" }, element("caption", { class: "unseen" }, "Declared and observed share of battles, by evidence"), element("thead", {}, element("tr", {}, headings(columns, order, () => draw()))), body);
  const explained = element("p", { class: "dim" });
  const node = element(
    "section",
    { "aria-labelledby": "shares" },
    element("div", { class: "section-title" }, element("h2", { id: "shares" }, "Declared and seen, by evidence"), element("label", { class: "search" }, element("span", { class: "dim" }, "Filter"), search)),
    explained,
    table,
    more,
  );

  function draw() {
    if (!data) return;
    const marks = arena.marks;
    for (const line of data.models) line.seen = marks.get(line.model)?.evidence.observed_share ?? line.share_of_battles;
    const wanted = search.value.trim().toLowerCase();
    const value = VALUES[order.key];
    const sorted = data.models
      .filter((line) => !wanted || `${line.model} ${line.provider ?? ""} ${line.state}`.toLowerCase().includes(wanted))
      .sort((a, b) => compare(value(a), value(b), order.direction) || Math.abs(ratio(b) ?? 0) - Math.abs(ratio(a) ?? 0));
    const shown = all ? sorted : sorted.slice(0, FIRST);
    const most = Math.max(1e-9, ...data.models.map((line) => Math.max(line.declared_share_of_battles ?? 0, line.seen ?? 0)));
    arrange(
      body,
      shown.map((line) => {
        let row = rows.get(line.model);
        if (!row) rows.set(line.model, (row = new Row(line.model, arena.name)));
        row.show(line, most, data);
        return row.node;
      }),
    );
    more.hidden = shown.length === sorted.length;
    setText(more, `Show all ${some(sorted.length, "model")}`);
  }

  arena.on("alerts", draw, signal);
  return {
    node,
    show(view) {
      data = view;
      const window = view.window_battles ? `seen over the last ${count(view.window_battles)} battles or, where an alert fires, since it began` : "seen once the first review is full";
      setText(explained, `A share is the part of battles that a model is in, ${window}. Evidence is the power of ten by which unfair treatment explains the battles better than the declared share does, since whenever it does so best; the marks are the levels of a warning and of a page.`);
      const known = new Set(view.models.map((line) => line.model));
      for (const model of rows.keys()) if (!known.has(model)) rows.delete(model);
      draw();
    },
  };
}

class Row {
  constructor(model, arena) {
    this.link = element("a", { href: address(arena, "model", model) }, element("bdi", { class: "name" }, model));
    this.sub = element("span", { class: "sub" });
    this.state = element("td", { class: "state-of" });
    [this.declared, this.observed, this.off, this.evidence] = ["declared", "observed", "off", "evidence"].map((each) => element("td", { class: `number ${each}` }));
    [this.bullet, this.gauge] = [bullet(), gauge()];
    this.node = element(
      "tr",
      {},
      element("th", { scope: "row", class: "model" }, this.link, this.sub),
      this.state,
      this.declared,
      this.observed,
      element("td", { class: "picture-of" }, this.bullet.node),
      this.off,
      this.evidence,
      element("td", { class: "gauge-of" }, this.gauge.node),
    );
  }

  show(line, most, { levels, window_battles: window }) {
    const measured = window > 0 && line.seen !== null;
    const found = evidence(line);
    const off = ratio(line);
    setText(this.sub, [line.provider, line.state !== "active" && line.state].filter(Boolean).join(" · "));
    setText(this.state, line.since ? `${line.state} since ${moment(line.since)}` : line.state);
    setText(this.declared, percent(line.declared_share_of_battles));
    setText(this.observed, measured ? percent(line.seen) : NONE);
    setText(this.off, measured && off !== null ? `${off > 0 ? "+" : off < 0 ? "−" : ""}${count(Math.abs(100 * off))} %` : NONE);
    setText(this.evidence, found === null ? NONE : found.toFixed(1));
    this.bullet.set(most, measured ? line.seen : null, line.declared_share_of_battles);
    this.gauge.set(levels, found);
    setAttribute(this.node, "class", line.state === "removed" ? "page" : grade(levels, found) || (line.inactive ? "provisional" : null));
  }
}
