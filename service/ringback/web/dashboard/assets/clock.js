// What time it is for the server. Its clock and this machine's may be minutes apart, and ages and
// countdowns must be right to the second.

const KEPT = 12;
const JUMP_MS = 2000;

class ServerClock {
  #heard = [];
  #offset = 0;
  #stoppedAt = null;
  #listeners = new Set();
  #timer = null;

  // Every answer is late by its way, so the largest offset heard of late is the closest. One that
  // is far off means that a clock was set, or that this machine has slept.
  hear(now) {
    const offset = Date.parse(now) - performance.now();
    if (!Number.isFinite(offset)) return;
    if (this.#heard.length && Math.abs(offset - this.#offset) > JUMP_MS) this.#heard = [];
    this.#heard.push(offset);
    if (this.#heard.length > KEPT) this.#heard.shift();
    this.#offset = Math.max(...this.#heard);
  }

  get known() {
    return this.#heard.length > 0;
  }

  now() {
    return this.known ? performance.now() + this.#offset : Date.now();
  }

  // The time for which what is shown is true: it stands still while nothing is heard.
  shown() {
    return this.#stoppedAt ?? this.now();
  }

  stop(at) {
    this.#stoppedAt = at;
    this.#tick();
  }

  resume() {
    this.#stoppedAt = null;
    this.#tick();
  }

  // Calls `listener` at every full second of the server's clock.
  onTick(listener) {
    this.#listeners.add(listener);
    if (this.#timer === null) this.#arm();
    return () => this.#listeners.delete(listener);
  }

  #arm() {
    this.#timer = setTimeout(
      () => {
        this.#tick();
        this.#arm();
      },
      1000 - (this.now() % 1000) + 5,
    );
  }

  #tick() {
    const now = this.shown();
    for (const listener of this.#listeners) listener(now);
  }
}

export const clock = new ServerClock();
