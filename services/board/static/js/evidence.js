// The numbers of an alert's evidence, each with its name in words and in its unit.

import { count, moment, percent, points, power, spoken } from "./words.js";

const share = (value) => percent(value);
const evidence = (value) => `${power(value)} to 1`;
const list = (value) => value.join(", ");
const plain = (value) => value.toFixed(2);

const KNOWN = {
  declared_share: ["Declared share of battles", share],
  observed_share: ["Share that was seen", share],
  appearances: ["Battles it was in", count],
  expected_appearances: ["Battles it was due in", count],
  battles: ["Battles since then", count],
  log10_e: ["Evidence", evidence],
  log10_page: ["Evidence that a page needs", evidence],
  unfinished_share: ["Battles that ended without a vote", share],
  last_seen: ["Last seen in a battle", (value) => moment(value, { exact: true })],
  provider: ["Provider", String],
  license: ["Licence", spoken],
  direction: ["Direction", String],
  share_of_slots: ["Share of the slots", share],
  share_of_battles: ["Share of the battles", share],
  bound: ["What the arena allows", (value) => (value <= 1 ? percent(value) : count(value))],
  gini: ["Gini coefficient", plain],
  gini_bound: ["Gini coefficient allowed", plain],
  hhi: ["Herfindahl index", plain],
  hhi_bound: ["Herfindahl index allowed", plain],
  largest_share: ["Share of the largest", share],
  share: ["Share of repeated prompts", share],
  baseline: ["Share before", share],
  sigma: ["Scatter of the scores, points", points],
  expected_gain: ["Gain by luck alone, points", points],
  models: ["Models", (value) => (Array.isArray(value) ? list(value) : count(value))],
  cap: ["Allowed at once", count],
};

const FIRST = Object.keys(KNOWN);

/** Pairs of a name and a value to show, what matters most first; unknown numbers are shown under their own names. */
export function facts(alert) {
  const place = (key) => (FIRST.includes(key) ? FIRST.indexOf(key) : FIRST.length);
  return Object.entries(alert.evidence)
    .sort(([a], [b]) => place(a) - place(b))
    .map(([key, value]) => {
      const [label, format] = KNOWN[key] ?? [spoken(key).replace(/^./, (letter) => letter.toUpperCase()), free];
      return [label, format(value)];
    });
}

function free(value) {
  if (Array.isArray(value)) return list(value);
  if (typeof value !== "number") return spoken(value);
  return Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(4)));
}
