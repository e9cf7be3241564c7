// Columns that sort: a button in each heading, by mouse and by keyboard, with the direction told by aria-sort.

import { element, setAttribute } from "./dom.js";

/**
 * Make headings.
 *
 * @param columns `{key, text, class?, first: "ascending"|"descending"|null, extra?: Node}`; `first: null` does not sort
 * @param chosen `{key, direction}`, changed in place
 * @param changed called when a person chose another order
 */
export function headings(columns, chosen, changed) {
  const cells = columns.map((column) => {
    if (!column.first) return element("th", { scope: "col", class: column.class }, column.text, column.extra);
    const press = () => {
      const same = chosen.key === column.key;
      chosen.direction = same ? opposite(chosen.direction) : column.first;
      chosen.key = column.key;
      show();
      changed();
    };
    return element("th", { scope: "col", class: column.class }, element("button", { type: "button", onclick: press }, column.text), column.extra);
  });
  function show() {
    columns.forEach((column, at) => {
      if (column.first) setAttribute(cells[at], "aria-sort", column.key === chosen.key ? chosen.direction : "none");
    });
  }
  show();
  return cells;
}

const opposite = (direction) => (direction === "ascending" ? "descending" : "ascending");

/** Order two values of a column; what is unknown comes last in both directions. */
export function compare(a, b, direction) {
  const [none, other] = [a === null || a === undefined, b === null || b === undefined];
  if (none || other) return none - other;
  const order = typeof a === "string" ? a.localeCompare(b) : a - b;
  return direction === "ascending" ? order : -order;
}
