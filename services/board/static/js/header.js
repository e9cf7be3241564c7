// The strip at the top: which arena, which view, the state of the stream, light or dark.

import { element, replace, setAttribute, setText } from "./dom.js";
import { address } from "./route.js";
import { clock, count, span } from "./words.js";

const TABS = [["leaderboard", "Leaderboard"], ["fairness", "Fairness"], ["alerts", "Alerts"]];
const THEMES = { auto: "Auto", light: "Light", dark: "Dark" };

/** Draw the header into `root`; `choose(arena)` is called when a person chooses another arena. */
export function header(root, choose) {
  const select = element("select", { id: "arena", onchange: () => choose(select.value) });
  const tabs = TABS.map(([view, text]) => [view, element("a", {}, text)]);
  const badge = element("span", { class: "badge", hidden: true });
  tabs[2][1].append(" ", badge);
  const lamp = element("span", { class: "lamp", "aria-hidden": "true" });
  const state = element("b", {}, "Connecting");
  const since = element("span", { class: "dim" });
  const stream = element("div", { class: "stream", id: "stream", role: "status" }, lamp, state, " ", since);
  root.append(
    element("a", { class: "brand", href: "#/", title: "Isonomy: equality before the rules" }, mark(), element("span", {}, "Isonomy")),
    element("label", { class: "arena" }, element("span", { class: "dim" }, "Arena"), select),
    element("nav", { "aria-label": "Views" }, tabs.map(([, link]) => link)),
    stream,
    theme(),
  );

  return {
    /** Which arenas there are: entries of /v1/arenas. */
    arenas(arenas, chosen) {
      const options = arenas.map(({ arena, alerts_firing: firing }) => [arena, firing ? `${arena} (${count(firing)} firing)` : arena]);
      if (chosen && !arenas.some((each) => each.arena === chosen)) options.unshift([chosen, chosen]);
      if (JSON.stringify(options) !== select.dataset.options) {
        select.dataset.options = JSON.stringify(options);
        replace(select, options.map(([value, text]) => element("option", { value }, text)));
      }
      if (chosen) select.value = chosen;
      select.disabled = options.length === 0;
    },
    /** Which view is shown. */
    view(arena, view) {
      for (const [each, link] of tabs) {
        setAttribute(link, "href", arena ? address(arena, each) : "#/");
        setAttribute(link, "aria-current", each === view ? "page" : null);
      }
    },
    /** How many alerts fire, and whether one is critical. */
    firing(alerts) {
      setText(badge, count(alerts.length));
      badge.hidden = alerts.length === 0;
      setAttribute(badge, "class", `badge ${alerts.some((each) => each.severity === "critical") ? "critical" : ""}`);
      setAttribute(badge, "aria-label", `${count(alerts.length)} firing`);
    },
    /** How the stream is. */
    condition(condition) {
      const [word, detail] = said(condition);
      setAttribute(stream, "data-state", condition.state);
      setText(state, word);
      setText(since, detail);
    },
  };
}

function said({ state, since, lag }) {
  if (state === "live") return ["Live", ""];
  if (state === "behind") return ["Behind", lag ? `by ${span(lag)}` : `since ${clock(since)}`];
  if (state === "stopped") return ["Stopped", `since ${clock(since)}`];
  if (state === "gone") return ["Gone", `since ${clock(since)}`];
  return ["Connecting", ""];
}

function theme() {
  const api = window.isonomyTheme;
  if (!api) return null;
  const select = element(
    "select",
    { id: "theme", onchange: () => api.choose(select.value) },
    api.choices.map((each) => element("option", { value: each, selected: each === api.chosen() }, THEMES[each])),
  );
  return element("label", { class: "theme" }, element("span", { class: "unseen" }, "Colours"), select);
}

function mark() {
  return element("img", { src: new URL("../icon.svg", import.meta.url).href, alt: "", width: 20, height: 20 });
}
