// What was judged of an arena and what was not, in words: that no alert fires is worth no more than this.

import { element, replace } from "./dom.js";
import { count, moment, some, spoken } from "./words.js";

/** Draw into `root` which detectors judge, on what and since when, and why the others do not; null: that is not known. */
export function showJudged(root, judged) {
  const key = JSON.stringify(judged);
  if (root.dataset.judged === key) return;
  root.dataset.judged = key;
  if (!judged?.length) return replace(root, element("p", {}, "What was judged is not known: whoever published this does not say."));
  const [done, left] = [judged.filter((each) => each.judged), judged.filter((each) => !each.judged)];
  const why = new Map();
  for (const { kind, note } of left) why.set(note, [...(why.get(note) ?? []), spoken(kind)]);
  return replace(
    root,
    element("p", {}, done.length ? `Judged: ${some(done.length, "kind")} of ${count(judged.length)}.` : "Nothing is judged."),
    done.length > 0 && element("ul", {}, done.map((each) => element("li", {}, `${spoken(each.kind)}${scope(each)}`))),
    left.length > 0 && element("p", {}, "Not judged, so that none of these alerts fires says nothing:"),
    left.length > 0 && element("ul", {}, [...why].map(([note, kinds]) => element("li", {}, `${kinds.join(", ")}: ${note ?? "no reason is given"}`))),
    element("p", { class: "dim" }, "No detector looks at who votes, or at the probability with which a pair was drawn."),
  );
}

/** Whether a kind is judged: true, false, or null where that is not known. */
export const isJudged = (judged, kind) => judged?.find((each) => each.kind === kind)?.judged ?? null;

/** How much is judged, as a sentence. */
export function summed(judged) {
  if (!judged?.length) return "What was judged is not known.";
  const done = judged.filter((each) => each.judged).length;
  return done ? `${count(done)} of ${some(judged.length, "kind")} of alerts ${done === 1 ? "is" : "are"} judged.` : "Nothing is judged.";
}

function scope({ subjects, since, since_battle: battle }) {
  const parts = [];
  if (subjects !== null && subjects !== undefined) parts.push(`on ${some(subjects, "subject")}`);
  if (since) parts.push(`since ${moment(since)}`);
  else if (battle) parts.push(`from battle ${count(battle + 1)} on`);
  return parts.length ? `, ${parts.join(", ")}` : "";
}
