// One model: how it stands, whether it is treated as declared, its history, its alerts.

import { byWeight } from "../alert.js";
import { curve } from "../curve.js";
import { element, name, replace, setText } from "../dom.js";
import { isJudged, summed } from "../judged.js";
import { RATINGS, REASONS, boardName, sureness } from "../ratings.js";
import { address } from "../route.js";
import { NONE, count, moment, percent, points, power, some, spoken } from "../words.js";
import { card } from "./card.js";
import { evidenceCurve } from "./evidence.js";
import { merged } from "./merged.js";
import { state } from "./state.js";

/** Draw it into `root`. */
export function open({ arena, route, root }) {
  const model = route.argument ?? "";
  const ended = new AbortController();
  const about = element("p", { class: "about dim" });
  const lead = element("p", { class: "lead" });
  const counters = element("ul", { class: "counters" });
  const boards = element("tbody");
  const alerts = element("div", { class: "cards" });
  const empty = element("p", { class: "state", hidden: true });
  const ratings = curve({ title: "Rating, with its 95 % interval", format: points, axis: (value) => String(Math.round(value)), height: 190 });
  const shares = curve({ title: "Share of battles, and what is declared", format: percent, height: 190 });
  const charts = element("div", { class: "pair" }, ratings.node, shares.node);
  const proof = element("div");
  const content = element(
    "div",
    { hidden: true },
    lead,
    counters,
    element("section", { "aria-labelledby": "its-alerts" }, element("h2", { id: "its-alerts" }, "Alerts"), alerts),
    element("section", { "aria-labelledby": "history" }, element("h2", { id: "history" }, "History"), charts, proof),
    element("section", { "aria-labelledby": "boards" }, element("h2", { id: "boards" }, "On every board"), element("table", { class: "boards" }, element("caption", { class: "unseen" }, "Ratings by board"), element("thead", {}, element("tr", {}, ["Board", "Rank", "Rating", "95 %", "Davidson", "Elo", "Votes"].map((text, at) => element("th", { scope: "col", class: at ? "number" : "model" }, text)))), boards)),
  );
  root.append(
    element("p", { class: "crumb" }, element("a", { href: address(arena.name, "leaderboard") }, "Leaderboard")),
    element("div", { class: "title" }, element("h1", { tabindex: -1 }, name(model)), about),
    content,
    empty,
  );

  let figure = null;
  let endHistory = () => {};
  function history(levels) {
    if (levels && !figure) {
      figure = evidenceCurve("Evidence that it is not drawn as declared", levels);
      proof.append(figure.node);
    }
    endHistory();
    endHistory = arena.source.watch(`${arena.path}/history?model=${encodeURIComponent(model)}`, ["fairness", "board:overall"], (data) => {
      const tier = merged(data.tiers);
      ratings.show({
        times: tier.t,
        series: [
          { text: "low end", look: "edge", values: tier.lower },
          { text: "rating", look: "main", values: tier.rating },
          { text: "high end", look: "edge", values: tier.upper },
        ],
        bands: [[3, 1]],
      });
      const { t, share, declared } = data.evidence;
      shares.show({
        times: t,
        series: [
          { text: "seen", look: "main", values: share },
          { text: "declared", look: "declared", values: declared },
        ],
      });
      figure?.one(data);
    }, () => {
      for (const each of [ratings, shares]) each.show({ times: [], series: [] });
      figure?.nothing();
    });
  }

  let watching = false;
  const end = arena.source.watch(
    `${arena.path}/models/${model.split("/").map(encodeURIComponent).join("/")}`,
    ["fairness", "alert", "board:overall"],
    (data) => {
      content.hidden = false;
      empty.hidden = true;
      show(data);
      if (!watching) history(arena.fairness?.levels);
      watching = true;
    },
    (error) => content.hidden && state(empty, content, error),
  );
  arena.on("fairness", () => watching && !figure && arena.fairness.levels && history(arena.fairness.levels), ended.signal);

  let shownAlerts = null;
  function show({ boards: lines, fairness: line, alerts: firing, judged }) {
    const overall = lines.overall ?? Object.values(lines)[0] ?? null;
    const declared = [line?.provider ?? overall?.provider, line?.license && spoken(line.license), line?.visibility === "private" && "private"];
    setText(about, declared.filter(Boolean).join(" · "));
    setText(lead, treated(line, firing, judged));
    lead.classList.toggle("bad", (firing ?? []).some((alert) => alert.severity === "critical"));
    replace(counters, counted(overall, line, firing ?? []).map(([text, value, more]) => element("li", {}, element("b", {}, value), element("span", {}, text, more && element("span", { class: "dim" }, ` ${more}`)))));
    replace(boards, Object.entries(lines).map(([board, each]) => boardRow(arena.name, board, each)));
    const key = JSON.stringify([firing, judged, arena.fairness?.levels]);
    if (key === shownAlerts) return;
    shownAlerts = key;
    replace(alerts, firing?.length ? [...firing].sort(byWeight).map((alert) => card(alert, { arena: arena.name, levels: arena.fairness?.levels })) : element("p", { class: "dim" }, firing ? `None fires about it. ${summed(judged)}` : "Nothing was judged of this arena yet."));
  }

  return {
    title: model,
    close() {
      ended.abort();
      end();
      endHistory();
      for (const each of [ratings, shares, figure]) each?.close();
    },
  };
}

function because(judged, line) {
  if (!judged?.length) return "what is judged is not known";
  const why = judged.find((each) => each.kind === "share_drift" && !each.judged)?.note;
  return why ?? (line.declared_share_of_battles ? "it has no share of its own to be held against" : "no weight is declared for it");
}

function treated(line, alerts, judged) {
  if (!line) return "Nothing is known of its treatment yet.";
  if (alerts?.length) return `${some(alerts.length, "alert")} ${alerts.length === 1 ? "fires" : "fire"} about it.`;
  if (line.inactive) return `It is ${line.state}${line.since ? ` since ${moment(line.since)}` : ""}${line.without_notice ? ", and no notice said so in time" : ""}.`;
  const found = [line.log10_e, line.log10_e_removal].filter((each) => each !== null && each !== undefined);
  if (line.declared_share_of_battles === null || line.declared_share_of_battles === undefined) return "Whether it is treated as declared cannot be judged: the arena declares no models.";
  if (!found.length || !(isJudged(judged, "share_drift") || isJudged(judged, "silent_removal"))) return `Whether it is treated as declared is not judged now: ${because(judged, line)}.`;
  return `Its share of the battles is judged against the declared one, and no alert fires about it: the evidence against is ${power(Math.max(...found))} to 1.`;
}

function counted(overall, line, alerts) {
  const since = alerts.find((alert) => alert.evidence.observed_share !== undefined);
  const half = overall ? sureness(RATINGS.bt.of(overall)) : "";
  return [
    ["Rank", overall?.rank ? count(overall.rank) : NONE, overall?.provisional ? (REASONS[overall.reason] ?? spoken(overall.reason)) : ""],
    ["Rating", points(overall?.rating ?? null), half],
    ["Votes", overall ? count(overall.votes) : NONE, ""],
    ["Declared share", line ? percent(line.declared_share_of_battles) : NONE, ""],
    ["Seen share", line ? percent(since?.evidence.observed_share ?? line.share_of_battles) : NONE, since ? "since the alert began" : ""],
    ["State", line ? line.state : NONE, line?.since ? `since ${moment(line.since)}` : ""],
  ];
}

function boardRow(arena, board, line) {
  const cells = [line.rank ?? NONE, points(line.rating), sureness(RATINGS.bt.of(line)), points(line.davidson), points(line.elo), count(line.votes)];
  const link = element("a", { href: address(arena, "leaderboard", null, { board: board === "overall" ? null : board }) }, boardName(board).text);
  return element("tr", { class: line.provisional ? "provisional" : null }, element("th", { scope: "row", class: "model" }, link), cells.map((text) => element("td", { class: "number" }, text)));
}
