// Evidence over time against the levels of a warning and of a page: of an arena's first subjects, or of one model.

import { curve } from "../curve.js";
import { power } from "../words.js";

const TALL = 2.4;
const LINES = 8;
const scaleText = (value) => (value === 0 ? "1" : power(value));
const written = (value) => `${power(value)} to 1`;

/** A figure; `one(history)` draws a model's history, `all(history)` an arena's. */
export function evidenceCurve(title, levels) {
  const figure = curve({ title, format: written, axis: scaleText, whole: true, top: levels ? TALL * levels.log10_page : null });
  const lines = (evidence) =>
    evidence.page === null
      ? []
      : [
          { text: "level of a page", value: evidence.page, look: "level-page" },
          { text: "level of a warning", value: evidence.warning, look: "level-warn" },
        ];
  // Null where nothing is judged; of a model whose drift is judged and whose removal is not, there is one of the two.
  const strongest = (drift, removal) => drift.map((value, at) => (value === null && removal[at] === null ? null : Math.max(value ?? 0, removal[at] ?? 0)));
  return {
    node: figure.node,
    close: figure.close,
    nothing: () => figure.show({ times: [], series: [] }),
    one({ evidence, alerts, model }) {
      figure.show({
        times: evidence.t,
        series: [{ text: model, look: "main", values: strongest(evidence.log10_e, evidence.log10_e_removal) }],
        levels: lines(evidence),
        moments: alerts.slice(-1).map((alert) => ({ t: alert.starts_at, text: "since" })),
      });
    },
    all({ evidence, alerts }) {
      const found = evidence.subjects
        .map(({ subject, log10_e: drift, log10_e_removal: removal }) => {
          const values = strongest(drift, removal);
          return { text: subject.model ?? subject.provider ?? subject.license, values, most: Math.max(...values) };
        })
        .sort((a, b) => b.most - a.most)
        .slice(0, LINES);
      const loud = found.filter(({ most }) => most >= evidence.warning);
      figure.show({
        times: evidence.t,
        series: found
          .map((each) => ({ ...each, quiet: !loud.includes(each), look: loud.includes(each) ? (each === loud[0] ? "bad" : "second") : "quiet" }))
          .reverse(),
        levels: lines(evidence),
        moments: alerts.filter((alert) => loud.length && (alert.subject.model ?? alert.subject.provider ?? alert.subject.license) === loud[0].text).slice(-1).map((alert) => ({ t: alert.starts_at, text: "since" })),
      });
    },
  };
}
