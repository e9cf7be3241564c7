// How long it takes from data to pixels in their places: a measure that the browser's own tools show.

/** Measure `draw` from `began` (ms, performance.now) until `node` is laid out, under a name. */
export function timed(label, began, node, draw) {
  draw();
  node.getBoundingClientRect(); // the layout would come anyway; asked for here, it is in the measure
  performance.measure(label, { start: began, end: performance.now() });
}
