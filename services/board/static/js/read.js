// Reading the API: one request, and the three ways in which it can fail.

/** The board cannot be reached, or says that it cannot answer now: trying again may help. */
export class Away extends Error {}

/** There is no such thing. */
export class Missing extends Error {}

/** Where a path of the API is, also when the board is served below a prefix. */
export const place = (path) => new URL(`v1/${path}`, document.baseURI).href;

/**
 * Read a path; `text` is the body as it came, so that one can see whether anything changed.
 * `no-cache` asks the server each time, which mostly answers that nothing changed: an event says that something did, and
 * an answer out of the browser's cache would be the one before it.
 */
export async function read(path, signal) {
  let response;
  try {
    response = await fetch(place(path), { cache: "no-cache", signal, headers: { accept: "application/json" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Away("the board cannot be reached");
  }
  const text = await response.text();
  if (response.ok) return { text, age: Number(response.headers.get("age") ?? 0) };
  const detail = explained(text) ?? `the board answered ${response.status}`;
  throw response.status === 404 ? new Missing(detail) : new Away(detail);
}

function explained(text) {
  try {
    return JSON.parse(text).error?.detail ?? null;
  } catch {
    return null; // not ours: a proxy's page
  }
}
