// What a person chooses on the leaderboard: board, rating, and a part of a name.

import { element, replace, setText } from "../dom.js";
import { RATINGS, boardName } from "../ratings.js";

/**
 * Draw the controls.
 *
 * `chosen({board, rating, filter})` is called when another board or rating is chosen, `filtered()` when the filter changes.
 */
export function controls({ board, rating, filter, chosen, filtered }) {
  const select = element("select", { id: "board", onchange: () => tell() });
  const radios = Object.entries(RATINGS).map(([key, { text }]) => {
    const input = element("input", { type: "radio", name: "rating", value: key, onchange: () => tell() });
    return [key, input, element("label", {}, input, element("span", {}, text))];
  });
  const search = element("input", { type: "search", id: "filter", value: filter, placeholder: "model, provider, licence", autocomplete: "off", spellcheck: "false", oninput: () => filtered() });
  const found = element("output", { class: "dim", for: "filter" });
  let options = null;

  function tell() {
    chosen({ board: select.value, rating: radios.find(([, input]) => input.checked)[0], filter: search.value });
  }

  const node = element(
    "div",
    { class: "controls" },
    element("label", {}, element("span", { class: "dim" }, "Board"), select),
    element("fieldset", { class: "segments" }, element("legend", { class: "unseen" }, "Rating"), radios.map(([, , label]) => label)),
    element("label", { class: "search" }, element("span", { class: "dim" }, "Filter"), search),
    found,
  );
  const api = {
    node,
    filter: () => search.value.trim(),
    found: (text) => setText(found, text),
    /** Which boards there are. */
    boards(names) {
      const key = JSON.stringify(names);
      if (key === options) return;
      options = key;
      const groups = grouped(names);
      replace(
        select,
        [...groups].sort(([a], [b]) => (a === null ? -1 : b === null ? 1 : a.localeCompare(b))).map(([group, members]) => {
          const each = members.sort().map((value) => element("option", { value }, boardName(value).text));
          return group === null ? each : element("optgroup", { label: group }, each);
        }),
      );
      api.show(board, rating, search.value);
    },
    /** What is chosen, as the address has it. */
    show(nextBoard, nextRating, nextFilter) {
      board = nextBoard;
      rating = nextRating;
      if (![...select.options].some((option) => option.value === board)) select.append(element("option", { value: board }, boardName(board).text));
      select.value = board;
      for (const [key, input] of radios) input.checked = key === rating;
      if (document.activeElement !== search) search.value = nextFilter;
    },
  };
  return api;
}

function grouped(names) {
  const found = new Map();
  for (const each of names) {
    const { group } = boardName(each);
    found.set(group, [...(found.get(group) ?? []), each]);
  }
  return found;
}
