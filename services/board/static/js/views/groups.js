// Shares of providers or of licence classes: declared against seen, slots taken, and how many of their models are gone.

import { arrange, element, setText } from "../dom.js";
import { bullet } from "../draw.js";
import { NONE, count, percent, spoken } from "../words.js";

const FIRST = 12;

/** A section; `show(groups)` fills it, the largest share first. */
export function groups(title) {
  const rows = new Map();
  const body = element("tbody");
  let data = [];
  let all = false;
  const more = element("button", { type: "button", class: "more", hidden: true, onclick: () => ((all = true), draw()) });
  const heads = [
    ["Name", "model"],
    ["Declared", "number declared"],
    ["Seen", "number observed"],
    ["", "picture-of"],
    ["Of the slots", "number slots"],
    ["Inactive", "number inactive"],
  ];
  const id = title.toLowerCase();
  const node = element(
    "section",
    { "aria-labelledby": id },
    element("h2", { id }, title),
    element(
      "table",
      { class: "groups" },
      element("caption", { class: "unseen" }, `${title}: share of the battles that involve them`),
      element("thead", {}, element("tr", {}, heads.map(([text, names]) => (text ? element("th", { scope: "col", class: names }, text) : element("td", { class: names }))))),
      body,
    ),
    more,
  );

  function draw() {
    const shown = all ? data : data.slice(0, FIRST);
    const most = Math.max(1e-9, ...data.map((each) => Math.max(each.share_of_battles ?? 0, each.declared_share_of_battles ?? 0)));
    arrange(
      body,
      shown.map((group) => {
        let row = rows.get(group.name);
        if (!row) rows.set(group.name, (row = makeRow(group.name, title)));
        row.show(group, most);
        return row.node;
      }),
    );
    more.hidden = shown.length === data.length;
    setText(more, `Show all ${count(data.length)}`);
  }

  return {
    node,
    show(groups) {
      data = [...groups].sort((a, b) => b.share_of_battles - a.share_of_battles || b.declared_share_of_battles - a.declared_share_of_battles);
      draw();
    },
  };
}

const inactive = ({ inactive: gone, models }) => (gone === null || gone === undefined ? NONE : gone ? `${count(gone)} of ${count(models)}` : "0");

function makeRow(group, title) {
  const cells = Object.fromEntries(["declared", "observed", "slots", "inactive"].map((each) => [each, element("td", { class: `number ${each}` })]));
  const picture = bullet();
  const node = element(
    "tr",
    {},
    element("th", { scope: "row", class: "model" }, element("bdi", { class: "name" }, title === "Licences" ? spoken(group) : group)),
    cells.declared,
    cells.observed,
    element("td", { class: "picture-of" }, picture.node),
    cells.slots,
    cells.inactive,
  );
  return {
    node,
    show({ declared_share_of_battles: declared, share_of_battles: observed, share_of_slots: slots, counts }, most) {
      setText(cells.declared, percent(declared));
      setText(cells.observed, percent(observed));
      setText(cells.slots, percent(slots));
      setText(cells.inactive, inactive(counts));
      picture.set(most, observed, declared);
    },
  };
}
