// The three ratings and the boards, each with the sentence that says what it is.

import { count, points, spoken } from "./words.js";

const LOPSIDED = 0.1; // of half the width: the middle of an interval may lie so far beside the rating and be written as ±

const WITHHELD = {
  nobody_ranked: "",
  no_maximum: "No ratings by Davidson's model: with these votes its likelihood has no maximum.",
  not_converged: "No ratings by Davidson's model: its maximum was not reached.",
};

export const RATINGS = {
  bt: {
    text: "Bradley-Terry",
    says: "The ratings that make all votes together most likely, with their 95 % intervals; the order of the votes does not matter. A rank is one more than the number of models whose whole interval lies higher.",
    of: (line) => ({ value: line.rating, lower: line.lower ?? -Infinity, upper: line.upper ?? Infinity }),
  },
  davidson: {
    text: "Davidson",
    says: "As Bradley-Terry, but a tie counts as a tie and not as half a win for each. Ranks are those of Bradley-Terry; no intervals are published.",
    of: (line) => ({ value: line.davidson, lower: null, upper: null }),
  },
  elo: {
    text: "Elo",
    says: "Each vote moves both models a little, one after the other: it depends on the order of the votes. Ranks are those of Bradley-Terry; no intervals are published.",
    of: (line) => ({ value: line.elo, lower: null, upper: null }),
  },
};

export const REASONS = {
  no_votes: "no votes yet",
  undefeated: "won every vote, so any rating above would fit",
  winless: "lost every vote, so any rating below would fit",
  island: "no chain of votes leads to the ranked models",
  bridge: "the votes that lead to the ranked models all go one way",
  few_votes: "too few votes against ranked models for a rank",
  wide_interval: "an interval too wide for a rank",
};

/** How sure a rating is: "±12.3", both ends where the rating is not in the middle, or the one end that there is. */
export function sureness({ value, lower, upper }) {
  if (lower === null) return "";
  const ends = [lower, upper].map((end) => count(end));
  if (lower === -Infinity) return upper === Infinity ? "unknown" : `≤ ${ends[1]}`;
  if (upper === Infinity) return `≥ ${ends[0]}`;
  const half = (upper - lower) / 2;
  return Math.abs((upper + lower) / 2 - value) <= Math.max(LOPSIDED * half, 0.05) ? `±${half.toFixed(1)}` : `${ends[0]} to ${ends[1]}`;
}

/** What a board says of its ratings beside them: the anchors, and why Davidson's are missing. */
export function remarks({ gauge, solver }) {
  const said = [];
  if (gauge?.applied) said.push(`Ratings are measured from ${gauge.anchors.length === 1 ? gauge.anchors[0] : `the mean of ${gauge.anchors.join(", ")}`}, at ${points(gauge.rating)}, and the intervals are of the difference to it.`);
  else if (gauge) said.push(`Not anchored: ${gauge.unranked.join(", ")} ${gauge.unranked.length === 1 ? "is" : "are"} not ranked on this board.`);
  if (solver.davidson_withheld) said.push(WITHHELD[solver.davidson_withheld] ?? spoken(solver.davidson_withheld));
  return said.join(" ");
}

/** Name of a board for people, and the group that it is in. */
export function boardName(board) {
  const [kind, ...rest] = board.split(":");
  if (kind === "overall") return { group: null, text: "Overall" };
  const group = { language: "Languages", category: "Categories" }[kind] ?? "Others";
  return { group, text: kind === "category" ? spoken(rest.join(":")) : rest.join(":") || board };
}
