// How curves look: lines, bands, levels and moments, in the colours of the page.

import { colour } from "./plot.js";
import { moment } from "./words.js";

const LOOKS = {
  main: { colour: "--accent", width: 2 },
  bad: { colour: "--bad", width: 2.2 },
  second: { colour: "--warn", width: 2 },
  quiet: { colour: "--faint", width: 1 },
  edge: { colour: "--clear", width: 0 },
  declared: { colour: "--ink", width: 1, dash: [5, 4] },
};
const LEVELS = { "level-page": "--bad", "level-warn": "--warn" };
const WHOLE = [1, 2, 3, 4, 5, 10, 20, 50, 100, 200, 500, 1000];
const FONT = "12px Inter, system-ui, sans-serif";
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const two = (number) => String(number).padStart(2, "0");

/** Options of uPlot for `{times, series, bands, levels, moments}`; `read(index|null)` hears where the pointer is. */
export function options({ data, width, height, axis, top, whole, read }) {
  const levels = data.levels ?? [];
  const line = { stroke: () => colour("--dim"), font: FONT, grid: { stroke: () => colour("--line"), width: 1 }, ticks: { show: false } };
  return {
    width,
    height,
    padding: [14, 12, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { x: { time: true }, y: { range: (_, low, high) => range(low, high, levels, top) } },
    axes: [
      { ...line, grid: { show: false }, space: 90, size: 30, values: (_, marks, __, ___, step) => dates(marks, step) },
      { ...line, size: 58, incrs: whole ? WHOLE : undefined, values: (_, marks) => marks.map((mark) => axis(mark)) },
    ],
    series: [{}, ...data.series.map((each) => series(LOOKS[each.look] ?? LOOKS.main))],
    bands: (data.bands ?? []).map((pair) => ({ series: pair, fill: () => colour("--band") })),
    hooks: { drawAxes: [(plot) => underlay(plot, levels, data.moments ?? [])], setCursor: [(plot) => read(plot.cursor.idx ?? null)] },
  };
}

const series = ({ colour: property, width, dash }) => ({
  stroke: () => colour(property),
  width,
  dash,
  spanGaps: false,
  points: { show: false },
});

function range(low, high, levels, top) {
  if (top !== null) return [0, Math.min(top, Math.max(high ?? 0, ...levels.map(({ value }) => value)) * 1.12)];
  const shown = [low, high, ...levels.map(({ value }) => value)].filter((value) => value !== null && Number.isFinite(value));
  const [from, to] = shown.length ? [Math.min(...shown), Math.max(...shown)] : [0, 1];
  const air = (to - from || Math.abs(to) * 0.1 || 1) * 0.08;
  return [from >= 0 && from - air < 0 ? 0 : from - air, to + air];
}

function dates(marks, step) {
  return marks.map((mark, at) => {
    const date = new Date(mark * 1000);
    const day = `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
    if (step >= 86_400) return day;
    const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
    return at === 0 || time === "00:00" ? `${day}, ${time}` : time;
  });
}

/** Levels across and moments down, below the curves. */
function underlay(plot, levels, moments) {
  const { ctx: pen, bbox: box } = plot;
  const pixels = devicePixelRatio || 1;
  pen.save();
  pen.font = `${12 * pixels}px Inter, system-ui, sans-serif`;
  pen.lineWidth = pixels;
  pen.textBaseline = "alphabetic";
  for (const { value, look, text } of levels) {
    const y = Math.round(plot.valToPos(value, "y", true)) + 0.5;
    if (y < box.top || y > box.top + box.height) continue;
    pen.strokeStyle = pen.fillStyle = colour(LEVELS[look] ?? "--dim");
    stroke(pen, [6 * pixels, 4 * pixels], box.left, y, box.left + box.width, y);
    pen.textAlign = "right";
    pen.fillText(text, box.left + box.width - 4 * pixels, y - 4 * pixels);
  }
  for (const { t, text } of moments) {
    const x = Math.round(plot.valToPos(t, "x", true)) + 0.5;
    if (x < box.left || x > box.left + box.width) continue;
    pen.strokeStyle = pen.fillStyle = colour("--ink");
    stroke(pen, [2 * pixels, 3 * pixels], x, box.top, x, box.top + box.height);
    const late = x > box.left + box.width * 0.6;
    pen.textAlign = late ? "right" : "left";
    pen.fillText(`${text} ${moment(t).replace(" UTC", "")}`, x + (late ? -5 : 5) * pixels, box.top + 12 * pixels);
  }
  pen.restore();
}

function stroke(pen, dash, fromX, fromY, toX, toY) {
  pen.setLineDash(dash);
  pen.beginPath();
  pen.moveTo(fromX, fromY);
  pen.lineTo(toX, toY);
  pen.stroke();
}
