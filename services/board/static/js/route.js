// Where the page is: #/arena/view/argument?option=value, so that every view has an address and "back" works.

export const VIEWS = ["leaderboard", "fairness", "alerts", "model"];

/** Read an address; what it does not say is null, and an unknown view is the leaderboard. */
export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [arena, view, ...rest] = path.split("/").map(decoded);
  return {
    arena: arena || null,
    view: VIEWS.includes(view) ? view : "leaderboard",
    argument: rest.length ? rest.join("/") : null,
    options: new URLSearchParams(query),
  };
}

/** Write an address. */
export function address(arena, view, argument = null, options = {}) {
  const parts = [arena, view, ...(argument === null ? [] : [argument])].map(encodeURIComponent);
  const query = new URLSearchParams(Object.entries(options).filter(([, value]) => value !== null && value !== ""));
  return `#/${parts.join("/")}${query.size ? `?${query}` : ""}`;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a lone % that somebody typed
  }
}
