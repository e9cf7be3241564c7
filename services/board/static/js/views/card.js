// One alert, whole: what, since when, how sure, the numbers, and where to read on.

import { sure, what, who } from "../alert.js";
import { element, name } from "../dom.js";
import { facts } from "../evidence.js";
import { address } from "../route.js";
import { ago, moment, span, spoken } from "../words.js";

/** An article; `level` is that of its heading. */
export function card(alert, { arena, levels, open = false, level = 3 }) {
  const resolved = alert.status === "resolved";
  const subject = alert.subject.model
    ? element("a", { href: address(arena, "model", alert.subject.model) }, name(who(alert)))
    : name(who(alert));
  const times = [
    ["Since", moment(alert.starts_at, { exact: true }), ago(alert.starts_at)],
    ["Detected", moment(alert.detected_at, { exact: true }), `${span(Math.max(0, alert.detected_at - alert.starts_at))} later`],
    resolved && ["Over", moment(alert.ends_at, { exact: true }), `after ${span(Math.max(0, alert.ends_at - alert.starts_at))}`],
    ["How sure", sure(alert, levels), ""],
  ].filter(Boolean);
  return element(
    "article",
    { class: `card ${resolved ? "past" : alert.severity}`, id: `alert-${alert.id}`, tabindex: -1, "data-alert": alert.id },
    element(
      `h${level}`,
      {},
      element("span", { class: `tag ${resolved ? "" : alert.severity}` }, resolved ? "Over" : alert.severity),
      " ",
      subject,
      ` ${what(alert)}`,
    ),
    element("dl", { class: "times" }, times.map(([term, value, rest]) => element("div", {}, element("dt", {}, term), element("dd", {}, value, rest && element("span", { class: "dim" }, ` ${rest}`))))),
    element("p", { class: "summary" }, alert.summary),
    element(
      "details",
      { open },
      element("summary", {}, "The numbers"),
      element("dl", { class: "facts" }, facts(alert).map(([term, value]) => element("div", {}, element("dt", {}, term), element("dd", {}, value)))),
    ),
    element(
      "p",
      { class: "links dim" },
      element("a", { href: address(arena, "alerts", alert.id) }, "Link to this alert"),
      " · ",
      runbook(alert),
      ` · ${spoken(alert.kind)}`,
    ),
  );
}

/** Where it says what to do: a link, if the operator said where runbooks are served; their place in the project if not. */
function runbook({ runbook_url: url }) {
  const safe = /^https?:\/\//i.test(url);
  return safe ? element("a", { href: url, rel: "noopener noreferrer" }, "Runbook") : element("span", {}, "Runbook: ", element("code", {}, url));
}
