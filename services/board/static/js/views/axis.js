// The common scale of the whiskers, drawn once in the heading of their column.

import { drawn, replace } from "../dom.js";
import { scale, ticks } from "../draw.js";

/** An axis; `show(lines, rating)` fits it to the ranked models and returns the scale. */
export function axis() {
  const node = drawn("svg", { class: "axis", "aria-hidden": "true", focusable: "false" });
  let drawnFor = null;
  return {
    node,
    show(lines, rating) {
      const ranked = lines.filter((line) => !line.provisional);
      const shown = (ranked.length ? ranked : lines).map((line) => rating.of(line)).filter(({ value }) => value !== null);
      const end = (wanted, value) => (Number.isFinite(wanted ?? NaN) ? wanted : value);
      const low = Math.min(...shown.map(({ value, lower }) => end(lower, value)));
      const high = Math.max(...shown.map(({ value, upper }) => end(upper, value)));
      const fitted = shown.length ? scale(low, high) : scale(900, 1100);
      const marks = ticks(fitted, matchMedia("(max-width: 44rem)").matches ? 2 : 4);
      const key = JSON.stringify([fitted.low, fitted.high, marks.length]);
      if (key !== drawnFor) {
        drawnFor = key;
        replace(
          node,
          marks.map((value) => {
            const at = `${fitted.at(value).toFixed(2)}%`;
            return [drawn("line", { x1: at, x2: at, y1: "74%", y2: "100%" }), drawn("text", { x: at, y: "60%", "text-anchor": "middle" }, String(Math.round(value)))];
          }),
        );
      }
      return fitted;
    },
  };
}
