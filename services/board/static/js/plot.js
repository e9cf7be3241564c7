// uPlot, which stands beside the page; a browser that cannot load it shows curves as tables.

import { element } from "./dom.js";

// The version is in the name, so that a browser may keep it for ever; deploy/page/package-lock.json pins the same one.
const VENDORED = "../vendor/uplot-1.6.32/";

let loading = null;

/** The library, or null where it cannot be loaded. Its licence stands beside it. */
export function plotting() {
  loading ??= load();
  return loading;
}

async function load() {
  const base = new URL(VENDORED, import.meta.url);
  try {
    await Promise.all([
      arrived("script", { src: new URL("uPlot.iife.min.js", base).href }),
      arrived("link", { rel: "stylesheet", href: new URL("uPlot.min.css", base).href }),
    ]);
  } catch {
    return null; // not to be had just now: the tables say the same
  }
  return window.uPlot ?? null;
}

const arrived = (tag, attributes) =>
  new Promise((resolve, reject) => document.head.append(element(tag, { ...attributes, onload: resolve, onerror: reject })));

/** The colour that a custom property has now, light or dark. */
export const colour = (property) => getComputedStyle(document.documentElement).getPropertyValue(property).trim();
