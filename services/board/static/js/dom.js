// Elements are made here and nowhere else. Text goes in as text, so a hostile name stays a name.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element with attributes and children; children are nodes, text, or nothing.
 * An attribute of `true` is set empty, one of `false`, `null` or `undefined` is left out; `on…` adds a listener.
 */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** An SVG element; lengths in per cent need no view box and so nothing to be drawn again when the width changes. */
export function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else setAttribute(node, name, value);
  }
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) node.append(child);
  }
}

/** Set an attribute, or take it away, if that changes anything. */
export function setAttribute(node, name, value) {
  if (value === false || value === null || value === undefined) node.removeAttribute(name);
  else {
    const text = value === true ? "" : String(value);
    if (node.getAttribute(name) !== text) node.setAttribute(name, text);
  }
}

/** Set a text, if that changes anything: nothing is painted again for what stays. */
export function setText(node, text) {
  const wanted = String(text);
  if (node.textContent !== wanted) node.textContent = wanted;
}

/** Replace all children, if their text or number differs: for small parts that are made anew. */
export function replace(node, ...children) {
  node.replaceChildren();
  append(node, children);
}

/** A name that strangers chose: isolated, so that right-to-left letters in it turn nothing around it. */
export function name(text, attributes = {}) {
  return element("bdi", { class: "name", ...attributes }, text);
}

/**
 * Bring the children of `parent` into the order of `nodes` with few moves; others are removed.
 * What does not move keeps focus and scroll position.
 */
export function arrange(parent, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  const focused = document.activeElement;
  let place = parent.firstElementChild;
  for (const node of nodes) {
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  if (focused && focused !== document.activeElement && parent.contains(focused)) focused.focus({ preventScroll: true });
}
