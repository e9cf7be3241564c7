// An alert in plain words: who, what, since when, and how sure. The full sentence with all numbers is its `summary`.

import { count, large, percent, power } from "./words.js";

const ORDER = { critical: 0, warning: 1, info: 2 };

/** Worst first, then the latest beginning. */
export const byWeight = (a, b) => ORDER[a.severity] - ORDER[b.severity] || b.starts_at - a.starts_at;

/** Whom an alert is about. */
export function who(alert) {
  const { model, provider, license, voter } = alert.subject;
  return model ?? provider ?? (voter ? `Voter ${voter}` : license ? `${license.replaceAll("_", " ")} models` : "This arena");
}

const WHAT = {
  feed_stalled: () => "has stopped sending votes",
  silent_removal: (e) => `is no longer shown to voters, though it is declared active at ${percent(e.declared_share)} of battles`,
  share_drift: (e) =>
    `is in ${e.direction === "rise" ? "more" : "fewer"} battles than declared: ${percent(e.observed_share)} instead of ${percent(e.declared_share)}` +
    (e.part_count ? `; this explains ${count(e.part_count)} other shares` : ""),
  unannounced_retirement: () => "was retired without the notice that is owed",
  private_variants: (e) => `tests ${count(e.variants)} private variants at once; ${count(e.cap)} are allowed`,
  score_retraction: () => "was withdrawn before anyone could see its score",
  best_of_n: (e) => `was published as the best of ${count(e.variants)} private variants`,
  data_inequality: (e) =>
    e.share_of_slots === undefined
      ? "gives its votes to few providers"
      : `takes ${percent(e.share_of_slots)} of the data; the arena allows ${percent(e.bound)}`,
  retirement_bias: () => "leave more often than chance explains",
  graph_fragile: () => "has ranks that hang on old votes",
  rank_churn: () => "changes its first place more often than chance explains",
  prompt_reuse: () => "repeats prompts more than it used to",
  undeclared_model: () => "is in battles that no declaration covers",
  draws_unclear: (e) =>
    e.cause === "ids"
      ? "gives one id to several draws"
      : `sends about ${Number(e.votes_per_draw).toFixed(1)} votes a draw and does not say which belong together`,
  policy_too_busy: (e) => `changes its weights so often that only ${percent(e.judged_share)} of battles can be judged`,
  declared_probability_wrong: () => "gives other probabilities than its declared weights imply",
  name_flood: (e) => `has about ${count(e.names)} names in its battles that nobody declared`,
  vote_loss: (e) =>
    e.lost === "refused"
      ? `has ${percent(e.share)} of its votes refused; ${percent(e.usual_share)} is usual`
      : `has ${percent(e.share)} of its battles end without a vote; ${percent(e.usual_share)} is usual`,
  voter_manipulation: (e) =>
    e.voters_found === undefined
      ? `votes ${e.direction} ${e.model} whatever the answers are`
      : `has ${count(e.voters_found)} voters who vote ${e.direction} it whatever the answers are`,
  repeated_votes: (e) => `has ${percent(e.share)} of its votes counted again under new ids`,
  pairing_bias: () => "does not meet the opponents that its declaration gives it",
  side_bias: (e) =>
    e.left_share === undefined
      ? "shows its models on sides that follow who they are"
      : `is shown on the left in ${percent(e.left_share)} of its battles; a coin gives half`,
  stratum_removal: (e) => `is missing from battles of ${(e.strata ?? []).join(", ")}, though not from others`,
  result_break: (e) =>
    `wins ${e.direction === "rise" ? "more" : "less"} often than its rating explains: ${percent(e.observed_win_rate)} instead of ${percent(e.expected_win_rate)}`,
  side_preference: (e) => `has ${percent(e.left_share)} of its votes on the left answer; ${percent(e.usual_share)} are usual`,
  whole_policy: (e) => `does not follow its declared weights: ${percent(e.misplaced_share)} of the places in battles went elsewhere`,
};

/** What is wrong, as the rest of a sentence that begins with whom it is about. */
export const what = (alert) => WHAT[alert.kind]?.(alert.evidence) ?? alert.kind.replaceAll("_", " ");

/** What was seen against what was to be expected, or null for kinds that count nothing. */
export function seen(alert) {
  const e = alert.evidence;
  if (e.expected_appearances === undefined) return null;
  return `in ${count(e.appearances)} of ${count(e.stratum_battles ?? e.battles)} battles, where ${count(e.expected_appearances)} were due`;
}

/**
 * How sure it is, in words.
 *
 * Where the evidence has a level for a page, the promise behind that level is one of time: with every model treated as
 * declared, all detectors together page once in `battles_between_pages` battles or less often. Evidence ten times as
 * strong comes by chance a tenth as often. "The odds that this is chance" would be another number, which nobody knows.
 */
export function sure(alert, levels) {
  const { log10_e: evidence, log10_page: page } = alert.evidence;
  if (evidence === undefined) return "It stands in the records; no chance is involved.";
  if (page === undefined || !levels || evidence < page) return `The evidence is ${odds(evidence)}.`;
  const battles = Math.log10(levels.battles_between_pages) + evidence - page;
  return `Were it drawn as declared, chance would show this less than once in ${large(battles)} battles.`;
}

/** Evidence as odds: "10⁸ to 1". */
export const odds = (log10) => (log10 < 2 ? `${Math.max(1, Math.floor(10 ** log10))} to 1` : `${power(log10)} to 1`);

const MARKS = {
  silent_removal: "no longer shown",
  share_drift: (e) => (e.direction === "rise" ? "drawn too often" : "drawn too little"),
  unannounced_retirement: "retired without notice",
  score_retraction: "score withheld",
  best_of_n: "best of many",
  graph_fragile: "old votes only",
  undeclared_model: "undeclared",
  vote_loss: "votes lost",
  voter_manipulation: "voters push it",
  repeated_votes: "wins told twice",
};

/** A few words for beside a model's name. */
export function mark(alert) {
  const found = MARKS[alert.kind];
  return typeof found === "function" ? found(alert.evidence) : (found ?? alert.kind.replaceAll("_", " "));
}

/** Firing alerts by model, the worst of each. */
export function byModel(alerts) {
  const found = new Map();
  for (const alert of [...alerts].sort(byWeight).reverse()) {
    if (alert.subject.model !== undefined && alert.subject.model !== null) found.set(alert.subject.model, alert);
  }
  return found;
}
