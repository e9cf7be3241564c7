// The leaderboard: rank, model, rating with its interval on a common scale, votes.

import { announce } from "../announce.js";
import { arrange, element, setText } from "../dom.js";
import { address } from "../route.js";
import { RATINGS, remarks } from "../ratings.js";
import { compare, headings } from "../sorting.js";
import { timed } from "../timed.js";
import { ago, count, moment, some } from "../words.js";
import { axis } from "./axis.js";
import { controls } from "./controls.js";
import { Row } from "./rows.js";
import { state } from "./state.js";

const OLD_SECONDS = 600;

const VALUES = {
  model: (line) => line.model,
  provider: (line) => line.provider,
  rating: (line, rating) => rating.of(line).value,
  votes: (line) => line.votes,
};

/** Draw it into `root`. */
export function open({ arena, route, root, arenas, go }) {
  const ended = new AbortController();
  const rows = new Map();
  const order = { key: "rank", direction: "ascending" };
  let board = route.options.get("board") ?? "overall";
  let rating = RATINGS[route.options.get("rating")] ? route.options.get("rating") : "bt";
  let data = null;
  let leader = null;
  let end = () => {};

  const about = element("p", { class: "about dim" });
  const says = element("p", { class: "says" });
  const guide = element("p", { class: "guide dim" }, "What the numbers mean: ", element("code", {}, "docs/methods/ratings.md"));
  const scaleLine = axis();
  const ranked = element("tbody");
  const rest = element("tbody", { class: "rest" });
  const restTitle = element("tr", { class: "group" }, element("th", { colspan: 7, scope: "rowgroup" }, "Not ranked yet: these have too little evidence, and they move no other"));
  const table = element(
    "table",
    { class: "board", hidden: true },
    element("caption", { class: "unseen" }, "Leaderboard"),
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        headings(
          [
            { key: "rank", text: "Rank", class: "rank number", first: "ascending" },
            { key: "model", text: "Model", class: "model", first: "ascending" },
            { key: "provider", text: "Provider · licence", class: "provider", first: "ascending" },
            { key: "rating", text: "Rating", class: "rating number", first: "descending" },
            { key: "half", text: "95 %", class: "half number", first: null },
            { key: "interval", text: element("span", { class: "unseen" }, "The interval, drawn"), class: "interval", first: null, extra: scaleLine.node },
            { key: "votes", text: "Votes", class: "votes number", first: "descending" },
          ],
          order,
          () => draw(),
        ),
      ),
    ),
    ranked,
    rest,
  );
  const empty = element("p", { class: "state", hidden: true });
  const choice = controls({
    board,
    rating,
    filter: route.options.get("filter") ?? "",
    chosen: (options) => go(address(arena.name, "leaderboard", null, { ...options, board: options.board === "overall" ? null : options.board, rating: options.rating === "bt" ? null : options.rating })),
    filtered: () => filter(),
  });
  root.append(element("div", { class: "title" }, element("h1", { tabindex: -1 }, "Leaderboard"), about), choice.node, says, guide, table, empty);

  function watch() {
    end();
    end = arena.source.watch(
      `${arena.path}/leaderboard?board=${encodeURIComponent(board)}`,
      [`board:${board}`],
      (received, at) => {
        data = received;
        timed("leaderboard", at, table, draw);
        tell();
      },
      (error) => data || state(empty, table, error),
    );
  }

  function draw() {
    if (!data) return;
    const chosen = RATINGS[rating];
    setText(says, [chosen.says, remarks(data)].filter(Boolean).join(" "));
    const scale = scaleLine.show(data.models, chosen);
    const marks = arena.marks;
    const seen = new Set();
    for (const line of data.models) {
      seen.add(line.model);
      let row = rows.get(line.model);
      if (!row) rows.set(line.model, (row = new Row(line.model, arena.name)));
      row.show(line, chosen.of(line), scale, marks.get(line.model));
    }
    for (const model of rows.keys()) if (!seen.has(model)) rows.delete(model);
    const places = new Map(data.models.map((line, place) => [line, place])); // ranks are shared; the order of the board is not
    const value = order.key === "rank" ? (line) => places.get(line) : VALUES[order.key];
    const sorted = [...data.models].sort((a, b) => compare(value(a, chosen), value(b, chosen), order.direction));
    arrange(ranked, sorted.filter((line) => !line.provisional).map((line) => rows.get(line.model).node));
    const others = sorted.filter((line) => line.provisional).map((line) => rows.get(line.model).node);
    arrange(rest, others.length ? [restTitle, ...others] : []);
    table.hidden = data.models.length === 0;
    empty.hidden = !table.hidden;
    setText(empty, table.hidden ? "Nobody has voted on this board yet." : "");
    filter();
  }

  function filter() {
    const wanted = choice.filter().toLowerCase();
    let shown = 0;
    for (const row of rows.values()) {
      row.node.hidden = !row.search.includes(wanted);
      shown += !row.node.hidden;
    }
    restTitle.hidden = wanted !== "" && [...rest.children].every((node) => node === restTitle || node.hidden);
    choice.found(wanted === "" ? "" : `${count(shown)} of ${some(rows.size, "model")}`);
    if (data) sayAbout();
  }

  function sayAbout() {
    const voted = data.votes === data.battles ? some(data.votes, "vote") : `${some(data.votes, "vote")} in ${some(data.battles, "battle")}`;
    const old = data.as_of !== null && Date.now() / 1000 - data.as_of > OLD_SECONDS;
    const newest = data.as_of === null ? "" : ` · newest vote ${moment(data.as_of, { exact: true })}${old ? `, ${ago(data.as_of)}` : ""}`;
    setText(about, `${some(data.models.length, "model")} · ${voted}${newest}`);
    about.classList.toggle("old", old);
  }

  function tell() {
    const first = data.models.find((line) => line.rank === 1)?.model ?? null;
    if (leader !== null && first !== leader) announce(`The leaderboard changed: ${first} is first now.`);
    else if (leader !== null) announce(`Leaderboard updated: ${some(data.votes, "vote")}.`);
    leader = first;
  }

  const boards = () => choice.boards(arenas().find((each) => each.arena === arena.name)?.boards ?? [board]);
  arena.on("alerts", () => data && remark(), ended.signal);
  const remark = () => {
    const marks = arena.marks;
    for (const [model, row] of rows) row.mark(marks.get(model));
  };
  const timer = setInterval(() => data && sayAbout(), 15_000);
  boards();
  watch();
  return {
    title: "Leaderboard",
    boards,
    update(next) {
      const [wantedBoard, wantedRating] = [next.options.get("board") ?? "overall", next.options.get("rating") ?? "bt"];
      const [before, was] = [board, rating];
      board = wantedBoard;
      rating = RATINGS[wantedRating] ? wantedRating : "bt";
      choice.show(board, rating, next.options.get("filter") ?? "");
      if (board !== before) watch();
      else if (rating !== was) draw();
      else filter();
    },
    close() {
      clearInterval(timer);
      ended.abort();
      end();
    },
  };
}
