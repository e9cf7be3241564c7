// What stands above every view: the critical alerts in plain language, and the truth about the stream.

import { seen, sure, what, who } from "./alert.js";
import { element, name, replace, setText } from "./dom.js";
import { address } from "./route.js";
import { ago, clock, moment, some, span } from "./words.js";

const SHOWN = 3;
const TICK_SECONDS = 20;

/** Draw into `root` what an arena has to say to everyone; ends with the signal. */
export function notices(root, arena, signal) {
  const stream = element("p", { class: "notice stream-notice", hidden: true });
  const stopped = element("div");
  const alerts = element("div");
  replace(root, stream, stopped, alerts);

  let drawn = null;
  function drawAlerts() {
    const critical = (arena.alerts ?? []).filter((alert) => alert.severity === "critical");
    const key = JSON.stringify([critical, arena.fairness?.levels]);
    if (key === drawn) return;
    drawn = key;
    const more = critical.length - SHOWN;
    replace(
      alerts,
      critical.slice(0, SHOWN).map((alert) => banner(arena, alert)),
      more > 0 && element("p", { class: "more" }, element("a", { href: address(arena.name, "alerts") }, `and ${some(more, "more critical alert")}`)),
    );
  }
  function drawStream() {
    const { condition } = arena;
    // Folds that have stopped are told of below, each for itself.
    stream.hidden = ["live", "connecting"].includes(condition.state) || (condition.state === "stopped" && arena.stopped.length > 0);
    setText(stream, stream.hidden ? "" : said(condition));
  }
  function drawStopped() {
    drawStream();
    replace(stopped, arena.stopped.map(({ stage, since }) => element("p", { class: "notice stopped-notice" }, `${STILL[stage] ?? "A part of this arena has stood still"} since ${moment(since)}.`)));
  }
  function drawTimes() {
    for (const node of alerts.querySelectorAll("[data-ago]")) setText(node, ago(Number(node.dataset.ago)));
  }

  arena.on("alerts", drawAlerts, signal);
  arena.on("fairness", drawAlerts, signal);
  arena.on("condition", drawStream, signal);
  arena.on("stopped", drawStopped, signal);
  const timer = setInterval(drawTimes, 1000 * TICK_SECONDS);
  signal.addEventListener("abort", () => clearInterval(timer));
  drawAlerts();
  drawStream();
  drawStopped();
}

const STILL = {
  ratings: "Something of this arena could not be counted. Its boards stand still, and lack what came",
  fairness: "Something of this arena could not be judged. Nobody watches it, and its alerts stand still,",
};

const AWAY = { redis: "the store of what is shown", kafka: "the log of the votes" };

function said({ state, since, lag, ours, away, stage }) {
  if (state === "stopped") return `What is shown is from before ${clock(since)}: ${stage === "fairness" ? "what was judged since" : "the boards that were published since"} cannot be read here.`;
  if (state === "behind" && stage) {
    return stage === "fairness"
      ? `The judging has been behind the votes since ${clock(since)}: the boards count battles that it has not looked at. Alerts may be missing.`
      : `The boards have not been published anew since ${clock(since)}, though votes go on.`;
  }
  if (state === "behind") {
    const waiting = lag ? ` The oldest vote that waits has waited for ${span(lag)}.` : "";
    return `The counting has been behind the votes since ${clock(since)}.${waiting}`;
  }
  if (ours) return `The board has not been reached since ${clock(since)}. What is shown is from before; it is tried again by itself.`;
  const because = away ? `: ${AWAY[away]} cannot be reached` : "";
  return `The stream has been gone since ${clock(since)}${because}. What is shown is from before, and may be old.`;
}

function banner(arena, alert) {
  const counted = seen(alert);
  const subject = alert.subject.model
    ? element("a", { href: address(arena.name, "model", alert.subject.model) }, name(who(alert)))
    : name(who(alert));
  return element(
    "section",
    { class: "banner", "aria-label": "Critical alert", "data-alert": alert.id },
    element("p", { class: "sentence" }, element("span", { class: "tag critical" }, "Critical"), " ", subject, ` ${what(alert)}.`),
    element(
      "dl",
      {},
      fact("Since", moment(alert.starts_at), element("span", { class: "dim", "data-ago": alert.starts_at }, ago(alert.starts_at))),
      counted && fact("Seen", counted.replace(/, where (.*)/, ""), element("span", { class: "dim" }, counted.match(/where .*/)[0])),
      fact("How sure", sure(alert, arena.fairness?.levels)),
    ),
    element("a", { class: "go", href: address(arena.name, "alerts", alert.id) }, "The evidence"),
  );
}

const fact = (term, value, ...rest) => element("div", {}, element("dt", {}, term), element("dd", {}, value, " ", rest));
