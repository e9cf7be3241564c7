// Curves over time: drawn by uPlot, read out below the pointer, and always there as a table for whoever cannot see them.

import { element, replace, setText } from "./dom.js";
import { options } from "./looks.js";
import { plotting } from "./plot.js";
import { moment } from "./words.js";

const HEIGHT = 220;

/**
 * A figure of curves.
 *
 * @param title what it shows
 * @param format how a value is written in the table and the readout
 * @param whole whether the axis has whole numbers only
 * @param top the largest value that the axis goes up to, or null
 */
export function curve({ title, format, axis = format, top = null, whole = false, height = HEIGHT }) {
  const canvas = element("div", { class: "canvas", "aria-hidden": "true" });
  const legend = element("ul", { class: "legend" });
  const readout = element("p", { class: "readout dim", "aria-hidden": "true" });
  // It scrolls, so the keyboard must reach it.
  const table = element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": `Numbers: ${title}` });
  const numbers = element("details", { ontoggle: () => fill() }, element("summary", {}, "Numbers as a table"), table);
  const note = element("p", { class: "dim", hidden: true });
  const node = element("figure", { class: "curve" }, element("figcaption", {}, title), legend, canvas, readout, note, numbers);
  const ended = new AbortController();
  let plot = null;
  let shape = "";
  let data = null;
  let library = undefined;

  async function show(next) {
    data = next;
    replace(legend, [...next.series.filter(shownIn), ...(next.bands ? [{ text: "95 % interval", look: "edge" }] : []), ...(next.levels ?? [])].map(entry));
    fill();
    library ??= (await plotting()) ?? null;
    if (ended.signal.aborted || data !== next) return;
    if (library === null) return asTable("Curves are shown as tables: the plotting library was not put into this installation.");
    if (next.times.length < 2) return asTable(next.times.length ? "One point so far: a curve begins with the next." : "Nothing was recorded yet.");
    note.hidden = true;
    canvas.hidden = readout.hidden = false;
    const wanted = JSON.stringify([next.series.map((each) => [each.text, each.look]), next.levels, next.moments]);
    const columns = [next.times, ...next.series.map((each) => each.values)];
    if (plot && wanted === shape) plot.setData(columns);
    else {
      plot?.destroy();
      shape = wanted;
      const { width } = canvas.getBoundingClientRect();
      plot = new library(options({ data: next, width: width || 600, height, axis, top, whole, read }), columns, canvas);
    }
    read(null);
  }

  function asTable(text) {
    setText(note, text);
    note.hidden = !text;
    canvas.hidden = readout.hidden = true;
    if (data.times.length) numbers.open = true;
    numbers.hidden = data.times.length === 0;
  }

  function read(at) {
    const place = at ?? data.times.length - 1;
    const parts = data.series
      .filter((each) => each.text && !each.quiet && each.values[place] !== null && each.values[place] !== undefined)
      .map((each) => `${each.text} ${format(each.values[place])}`);
    setText(readout, `${moment(data.times[place])}: ${parts.join(", ") || "–"}`);
  }

  function fill() {
    if (!numbers.open || !data) return;
    const shown = data.series.filter((each) => each.text);
    replace(
      table,
      element(
        "table",
        {},
        element("caption", { class: "unseen" }, title),
        element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Time"), shown.map((each) => element("th", { scope: "col", class: "number" }, each.text)))),
        element(
          "tbody",
          {},
          data.times.map((time, at) => element("tr", {}, element("th", { scope: "row" }, moment(time)), shown.map((each) => element("td", { class: "number" }, each.values[at] === null ? "–" : format(each.values[at]))))).reverse(),
        ),
      ),
    );
  }

  new ResizeObserver(() => {
    const { width } = canvas.getBoundingClientRect();
    if (plot && width && Math.abs(width - plot.width) > 1) plot.setSize({ width, height });
  }).observe(canvas);
  document.documentElement.addEventListener("theme", () => plot?.redraw(false, true), { signal: ended.signal });
  return {
    node,
    show,
    close() {
      ended.abort();
      plot?.destroy();
      plot = null;
    },
  };
}

const shownIn = ({ text, quiet, look }) => text && !quiet && look !== "edge";
const entry = ({ text, look, says }) => element("li", {}, element("span", { class: `swatch ${look}`, "aria-hidden": "true" }), text, says && element("span", { class: "dim" }, ` ${says}`));
