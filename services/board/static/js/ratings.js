// The three ratings and the boards, each with the sentence that says what it is.

import { spoken } from "./words.js";

export const RATINGS = {
  bt: {
    text: "Bradley-Terry",
    says: "The ratings that make all votes together most likely, with their 95 % intervals; the order of the votes does not matter. A rank is one more than the number of models whose whole interval lies higher.",
    of: (line) => ({ value: line.rating, lower: line.lower, upper: line.upper }),
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
};

/** Name of a board for people, and the group that it is in. */
export function boardName(board) {
  const [kind, ...rest] = board.split(":");
  if (kind === "overall") return { group: null, text: "Overall" };
  const group = { language: "Languages", category: "Categories" }[kind] ?? "Others";
  return { group, text: kind === "category" ? spoken(rest.join(":")) : rest.join(":") || board };
}
