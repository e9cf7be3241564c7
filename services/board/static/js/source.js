// What is read of the API and kept current: an event makes stale what it names, and what is stale is read again.

import { Away, Missing, read } from "./read.js";

const AGAIN_SECONDS = [1, 2, 4, 8, 15];

/** Everything that is watched now. */
export class Source {
  #watches = new Set();

  /**
   * Read a path now and whenever one of its topics changes.
   *
   * `receive(data, at)` is called when the body differs from the last one; `at` is the time in ms (performance.now) at
   * which it had arrived. `fail(error)` is called when it cannot be read; one that is away is tried again by itself.
   * Returns a function that ends it.
   */
  watch(path, topics, receive, fail = () => {}) {
    const watch = new Watch(path, new Set(topics), receive, fail);
    this.#watches.add(watch);
    watch.touch();
    return () => {
      this.#watches.delete(watch);
      watch.end();
    };
  }

  /** Say that a topic changed; without one, that anything may have. */
  changed(topic = null) {
    for (const watch of this.#watches) if (topic === null || watch.topics.has(topic)) watch.touch();
  }
}

class Watch {
  #reading = null;
  #stale = false;
  #last = null;
  #failures = 0;
  #timer = 0;

  constructor(path, topics, receive, fail) {
    Object.assign(this, { path, topics, receive, fail });
  }

  /** Read soon: at once, or after the reading that is under way, however often it is touched meanwhile. */
  touch() {
    this.#stale = true;
    clearTimeout(this.#timer);
    if (!this.#reading) this.#run();
  }

  end() {
    clearTimeout(this.#timer);
    this.#stale = false;
    this.#reading?.abort();
  }

  async #run() {
    const reading = (this.#reading = new AbortController());
    while (this.#stale && !reading.signal.aborted) {
      this.#stale = false;
      try {
        const { text } = await read(this.path, reading.signal);
        if (reading.signal.aborted) break;
        this.#failures = 0;
        if (text !== this.#last) {
          const at = performance.now();
          this.#last = text;
          this.receive(JSON.parse(text), at);
        }
      } catch (error) {
        if (reading.signal.aborted) break;
        this.#last = null;
        this.fail(error);
        if (error instanceof Away) this.#later();
        else if (!(error instanceof Missing)) throw error;
      }
    }
    this.#reading = null;
  }

  #later() {
    const seconds = AGAIN_SECONDS[Math.min(this.#failures++, AGAIN_SECONDS.length - 1)];
    this.#timer = setTimeout(() => this.touch(), 1000 * seconds);
  }
}
