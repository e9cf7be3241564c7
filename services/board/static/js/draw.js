// Small pictures in table cells: an interval, a share against what is declared, evidence against its levels.

import { drawn, setAttribute } from "./dom.js";

const within = (value) => Math.min(100, Math.max(0, value));

/** A scale that maps [low, high] to 0–100 per cent, with a little air at both ends. */
export function scale(low, high) {
  const air = (high - low || 1) * 0.03;
  const [from, to] = [low - air, high + air];
  return { low, high, at: (value) => (100 * (value - from)) / (to - from) };
}

/** Round values between the ends of a scale: at most `most`. */
export function ticks({ low, high }, most = 5) {
  const raw = (high - low || 1) / most;
  const size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((each) => each * size).find((each) => each >= raw);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) found.push(value);
  return found;
}

/**
 * Place an interval and its point in a cell, whose style sheet draws them (`.interval`): a thousand pictures of their own
 * would take a third of the time that a board has. What is beyond the scale ends at its edge.
 */
export function place(cell, to, { value, lower, upper }) {
  const at = (rating) => within(to.at(rating)).toFixed(2);
  const none = value === null || value === undefined;
  const wanted = none ? "" : `${at(lower ?? value)} ${at(upper ?? value)} ${at(value)}`;
  if (cell.placed === wanted) return;
  cell.placed = wanted;
  const [from, until, dot] = wanted.split(" ");
  cell.style.cssText = none ? "background: none" : `--from: ${from}%; --until: ${until}%; --at: ${dot}%`;
}

/** A bar from 0 to what was seen, and a tick where it is declared to be. */
export function bullet() {
  const track = drawn("rect", { class: "track", y: "50%", height: 1, width: "100%" });
  const bar = drawn("rect", { class: "bar", y: "30%", height: "40%", x: 0, rx: 1 });
  const tick = drawn("line", { class: "tick", y1: "8%", y2: "92%" });
  const node = drawn("svg", { class: "picture", "aria-hidden": "true", focusable: "false" }, track, bar, tick);
  return {
    node,
    /** What is not known, null, is not drawn. */
    set(most, observed, declared) {
      setAttribute(bar, "width", `${within((98 * (observed ?? 0)) / most).toFixed(2)}%`);
      setAttribute(tick, "visibility", declared === null || declared === undefined ? "hidden" : null);
      if (declared === null || declared === undefined) return;
      const at = `${within((98 * declared) / most).toFixed(2)}%`;
      setAttribute(tick, "x1", at);
      setAttribute(tick, "x2", at);
    },
  };
}

/** Evidence as a bar on its logarithm, with the levels of a warning and of a page. */
export function gauge() {
  const track = drawn("rect", { class: "track", y: "50%", height: 1, width: "100%" });
  const bar = drawn("rect", { class: "bar", y: "30%", height: "40%", x: 0, rx: 1 });
  const warning = drawn("line", { class: "level warn", y1: "12%", y2: "88%" });
  const page = drawn("line", { class: "level page", y1: "12%", y2: "88%" });
  const node = drawn("svg", { class: "picture", "aria-hidden": "true", focusable: "false" }, track, bar, warning, page);
  return {
    node,
    /** Without levels, or evidence, nothing is judged, and nothing drawn. */
    set(levels, evidence) {
      setAttribute(node, "visibility", levels && evidence !== null ? null : "hidden");
      if (!levels || evidence === null) return;
      const at = (value) => `${within((75 * value) / levels.log10_page).toFixed(2)}%`;
      setAttribute(bar, "width", at(evidence));
      setAttribute(bar, "class", `bar ${grade(levels, evidence)}`);
      for (const [line, value] of [[warning, levels.log10_warning], [page, levels.log10_page]]) {
        setAttribute(line, "x1", at(value));
        setAttribute(line, "x2", at(value));
      }
    },
  };
}

/** What an amount of evidence is: "page", "warn" or "". */
export function grade(levels, evidence) {
  if (!levels || evidence === null) return "";
  if (evidence >= levels.log10_page) return "page";
  return evidence >= levels.log10_warning ? "warn" : "";
}
