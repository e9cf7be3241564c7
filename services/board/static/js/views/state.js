// What a view says when it has nothing to show: honestly, and what happens next.

import { setText } from "../dom.js";
import { Missing } from "../read.js";

/** Show why there is nothing in `node`, and hide what would be there. */
export function state(node, instead, error) {
  if (instead) instead.hidden = true;
  node.hidden = false;
  setText(node, sentence(error));
}

/** The sentence of an error. */
export function sentence(error) {
  const reason = error.message.replace(/^./, (letter) => letter.toUpperCase());
  return error instanceof Missing ? `${reason}.` : `${reason}. It is tried again by itself.`;
}
