// Changes told to those who hear the page: politely, and not more often than one can listen to.

const EVERY_MS = 10_000;

let region = null;
let last = -EVERY_MS;
let waiting = null;
let timer = 0;

/** Say where announcements go. */
export function announceIn(node) {
  region = node;
}

/** Tell a sentence; one that comes too soon after another waits, and the newest replaces it. Urgent ones do not wait. */
export function announce(sentence, { urgent = false } = {}) {
  const wait = urgent ? 0 : Math.max(0, last + EVERY_MS - performance.now());
  if (!urgent) waiting = sentence;
  clearTimeout(timer);
  if (wait === 0) tell(sentence);
  else timer = setTimeout(() => tell(waiting), wait);
}

function tell(sentence) {
  last = performance.now();
  if (region) region.textContent = sentence;
}
