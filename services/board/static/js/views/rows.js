// The rows of the leaderboard: made once from a pattern, and then only what differs is written.

import { mark } from "../alert.js";
import { setAttribute, setText } from "../dom.js";
import { place } from "../draw.js";
import { REASONS, sureness } from "../ratings.js";
import { address } from "../route.js";
import { NONE, count, points, spoken } from "../words.js";

const CELLS = [
  ["td", "rank number"],
  ["th", "model"],
  ["td", "provider"],
  ["td", "rating number"],
  ["td", "half number"],
  ["td", "interval"],
  ["td", "votes number"],
];

let pattern = null;

function makePattern() {
  const row = document.createElement("tr");
  for (const [tag, names] of CELLS) {
    const cell = document.createElement(tag);
    cell.className = names;
    row.append(cell);
  }
  const model = row.children[1];
  model.scope = "row";
  const link = document.createElement("a");
  link.dir = "auto"; // isolates, so that right-to-left letters turn nothing around the name
  const tag = document.createElement("span");
  tag.className = "tag";
  tag.hidden = true;
  const sub = document.createElement("span");
  sub.className = "sub";
  model.append(link, " ", tag, sub);
  return row;
}

/** One model's row. */
export class Row {
  constructor(model, arena) {
    pattern ??= makePattern();
    this.node = pattern.cloneNode(true);
    const [rank, cell, provider, value, half, interval, votes] = this.node.children;
    Object.assign(this, { rank, provider, value, half, interval, votes });
    const [link, tag, sub] = cell.children;
    Object.assign(this, { tag, sub });
    link.href = address(arena, "model", model);
    link.textContent = model;
    this.search = model.toLowerCase();
  }

  /** Show a line of the board: `shown` is the chosen rating's value and interval, `alert` what fires about the model. */
  show(line, shown, scale, alert) {
    const provider = [line.provider, line.license && spoken(line.license)].filter(Boolean).join(" · ");
    if (line !== this.line) {
      this.line = line;
      this.search = `${line.model} ${provider}`.toLowerCase();
      setText(this.rank, line.rank ?? NONE);
      setText(this.provider, provider);
      setText(this.votes, count(line.votes));
      setAttribute(this.node, "class", line.provisional ? "provisional" : null);
    }
    setText(this.value, points(shown.value));
    const half = sureness(shown);
    setText(this.half, half);
    setText(this.sub, [half, `${count(line.votes)} votes`, provider].filter(Boolean).join(" · "));
    place(this.interval, scale, shown);
    this.mark(alert);
  }

  /** Beside the name: an alert, else why the model is provisional. */
  mark(alert) {
    const text = alert ? mark(alert) : this.line.provisional ? "provisional" : "";
    setText(this.tag, text);
    this.tag.hidden = !text;
    setAttribute(this.tag, "class", `tag ${alert ? alert.severity : ""}`);
    setAttribute(this.tag, "title", alert ? alert.summary : this.line.provisional ? (REASONS[this.line.reason] ?? spoken(this.line.reason)) : null);
  }
}
