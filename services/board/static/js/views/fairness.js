// Fairness: what is declared against what is seen, model by model, with the evidence; providers and licences; the census.

import { element, replace, setText } from "../dom.js";
import { showJudged } from "../judged.js";
import { NONE, count, moment, power, some } from "../words.js";
import { evidenceCurve } from "./evidence.js";
import { groups } from "./groups.js";
import { shares } from "./shares.js";
import { state } from "./state.js";

/** Draw it into `root`. */
export function open({ arena, root }) {
  const ended = new AbortController();
  const about = element("p", { class: "about dim" });
  const lead = element("p", { class: "lead" });
  const counters = element("ul", { class: "counters" });
  const scope = element("div", { class: "judged" });
  const curves = element("section", { "aria-labelledby": "curves" }, element("h2", { id: "curves" }, "Evidence over time"));
  const models = shares(arena, ended.signal);
  const [providers, licenses] = [groups("Providers"), groups("Licences")];
  const spread = element("p", { class: "dim" });
  const empty = element("p", { class: "state", hidden: true });
  const content = element(
    "div",
    { hidden: true },
    lead,
    counters,
    element("section", { "aria-labelledby": "judged" }, element("h2", { id: "judged" }, "What is judged"), scope),
    curves,
    models.node,
    element("div", { class: "pair" }, providers.node, licenses.node),
    spread,
  );
  root.append(element("div", { class: "title" }, element("h1", { tabindex: -1 }, "Fairness"), about), content, empty);

  let figure = null;
  let endHistory = () => {};
  function history(levels) {
    figure = evidenceCurve("Evidence that a model is not drawn as declared: the models with the most of it", levels);
    curves.append(figure.node);
    endHistory = arena.source.watch(`${arena.path}/history?top=10`, ["fairness"], (data) => figure.all(data), () => figure.nothing());
  }

  const end = arena.source.watch(
    `${arena.path}/fairness`,
    ["fairness"],
    (data) => {
      content.hidden = false;
      empty.hidden = true;
      setText(about, `${some(data.battles, "battle")}${data.as_of === null ? "" : ` · newest ${moment(data.as_of, { exact: true })}`}`);
      verdict(lead, data);
      census(counters, data);
      if (!figure && data.levels) history(data.levels);
      curves.hidden = !figure;
      showJudged(scope, data.judged ?? null);
      models.show(data);
      providers.show(data.providers);
      licenses.show(data.licenses);
      setText(spread, inequality(data.inequality));
    },
    (error) => content.hidden && state(empty, content, error),
  );

  return {
    title: "Fairness",
    close() {
      ended.abort();
      end();
      endHistory();
      figure?.close();
    },
  };
}

function verdict(node, { declares, note, outage, models, levels, policy, removals, judged, window_battles: window }) {
  node.classList.toggle("bad", false);
  if (!declares || !levels) return setText(node, note ?? "This arena declares no models, so whether they are treated as declared cannot be judged.");
  if (outage) return setText(node, "Votes are missing from the feed. Nobody is accused while that explains what is missing.");
  const loud = models.filter((line) => Math.max(line.log10_e ?? 0, line.log10_e_removal ?? 0) >= levels.log10_page || line.state === "removed");
  const quiet = `${count(levels.detectors)} watches are kept; by chance alone, all of them together page less than once in ${count(levels.battles_between_pages)} battles.`;
  const whole = policy?.log10_e_max >= 2 ? ` Against the policy as a whole the evidence is ${power(policy.log10_e_max)} to 1.` : "";
  const drawn = judged?.find((each) => each.kind === "share_drift");
  if (!loud.length && !drawn?.judged) return setText(node, `Whether models are treated as declared is not judged now: ${drawn?.note ?? "what is judged is not known"}.`);
  const held = models.filter((line) => (line.log10_e ?? line.log10_e_removal ?? null) !== null).length;
  const names = removals?.length === 1 ? `: ${removals[0]} is no longer shown to voters` : "";
  const first = loud.length
    ? `${count(loud.length)} of ${some(models.length, "model")} ${loud.length === 1 ? "is" : "are"} not treated as declared${names}.`
    : `No alert of a share or a removal fires: ${count(held)} of ${some(models.length, "model")} ${held === 1 ? "is" : "are"} held against a declared share${drawn.since ? ` since ${moment(drawn.since)}` : ""}.`;
  node.classList.toggle("bad", loud.length > 0);
  return setText(node, `${first} ${window === 0 ? "The first review is not full yet: no share was measured so far. " : ""}${loud.length ? whole.trim() : quiet}`);
}

function census(node, { counts, battles }) {
  const lines = [
    ["Models", counts.models, ""],
    ["Active", counts.active, ""],
    ["Inactive", counts.inactive, ""],
    ["Inactive without notice", counts.inactive_without_notice, counts.inactive_without_notice ? "bad" : ""],
    ["Private, in play", counts.private, ""],
    ["Battles watched", battles, ""],
  ];
  if (node.children.length === lines.length) lines.forEach(([, value], at) => setText(node.children[at].firstChild, known(value)));
  else replace(node, lines.map(([text, value]) => element("li", {}, element("b", {}, known(value)), element("span", {}, text))));
  lines.forEach(([, , look], at) => (node.children[at].className = look));
}

const known = (number) => (number === null || number === undefined ? NONE : count(number));

function inequality({ gini, hhi, largest }) {
  if (gini === null || hhi === null) return "How unequal the data of the providers is, is not known: no provider is declared, or the first review is not full.";
  const most = largest ? ` The largest is ${largest}.` : "";
  return `How unequal the data of the providers is: Gini coefficient ${gini.toFixed(2)} (0 is equal), Herfindahl index ${hhi.toFixed(2)} (1 is one provider alone).${most}`;
}
