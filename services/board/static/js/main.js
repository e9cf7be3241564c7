// The page: an address says which arena and view; the arena keeps itself current, the view draws.

import { announce, announceIn } from "./announce.js";
import { Arena } from "./arena.js";
import { element, replace } from "./dom.js";
import { header } from "./header.js";
import { notices } from "./notices.js";
import { address, parse } from "./route.js";
import { Source } from "./source.js";
import { open as openAlerts } from "./views/alerts.js";
import { open as openFairness } from "./views/fairness.js";
import { open as openLeaderboard } from "./views/leaderboard.js";
import { open as openModel } from "./views/model.js";
import { sentence } from "./views/state.js";

const OPEN = { leaderboard: openLeaderboard, fairness: openFairness, alerts: openAlerts, model: openModel };
const ARENAS_MS = 15_000;

const byId = (id) => document.getElementById(id);
const main = byId("main");
const source = new Source();
const top = header(byId("header"), (name) => go(address(name, parse(location.hash).view === "model" ? "leaderboard" : parse(location.hash).view)));
let arenas = [];
let arena = null;
let arenaEnd = null;
let view = null;
let shown = null;

const go = (to) => (location.hash = to);

/** Bring the page to what the address says; `moved` when a person went there, so that focus follows. */
function follow(moved) {
  const route = parse(location.hash);
  route.arena ??= first();
  if (route.arena === null) return;
  if (arena?.name !== route.arena) enter(route.arena);
  top.arenas(arenas, route.arena);
  top.view(route.arena, route.view);
  document.body.dataset.view = route.view;
  const key = JSON.stringify([route.arena, route.view, route.view === "model" ? route.argument : null]);
  if (key === shown && view) {
    view.update?.(route);
    return;
  }
  view?.close();
  shown = key;
  const root = element("div", { class: `view ${route.view}` });
  replace(main, root);
  view = OPEN[route.view]({ arena, route, root, arenas: () => arenas, go });
  document.title = `${view.title} · ${route.arena} · Isonomy`;
  if (!moved) return;
  scrollTo(0, 0);
  root.querySelector("h1")?.focus({ preventScroll: true });
  announce(`${view.title}, arena ${route.arena}`, { urgent: true });
}

function enter(name) {
  view?.close();
  view = shown = null;
  arenaEnd?.abort();
  arena?.close();
  arenaEnd = new AbortController();
  arena = new Arena(name, source);
  arena.on("condition", () => top.condition(arena.condition), arenaEnd.signal);
  arena.on("alerts", () => top.firing(arena.alerts), arenaEnd.signal);
  top.condition(arena.condition);
  top.firing([]);
  arena.knowStopped(arenas);
  notices(byId("notices"), arena, arenaEnd.signal);
}

/** Where one begins who names no arena: that with the most votes. */
const first = () => [...arenas].sort((a, b) => (b.votes ?? 0) - (a.votes ?? 0))[0]?.arena ?? null;

function say(text) {
  if (view) return;
  replace(main, element("div", { class: "state" }, element("h1", { tabindex: -1 }, "Isonomy"), element("p", {}, text)));
}

announceIn(byId("polite"));
byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address belongs to the views
  main.focus();
});
replace(
  byId("footer"),
  element("span", {}, "Isonomy, n.: equality before the rules."),
  element("span", { class: "dim" }, "All times are UTC. Every number here follows from the votes: ", element("a", { href: "openapi.json" }, "read API"), "."),
);
say("Reading what is known …");
source.watch(
  "arenas",
  ["arenas", "stopped"],
  (data) => {
    arenas = data.arenas;
    arena?.knowStopped(arenas);
    if (arenas.length === 0) say("No arena has published anything yet. The page fills by itself once votes are counted.");
    if (view) top.arenas(arenas, arena.name);
    else follow(false);
    view?.boards?.();
  },
  (error) => say(sentence(error)),
);
setInterval(() => source.changed("arenas"), ARENAS_MS);
addEventListener("hashchange", () => follow(true));
follow(false);
