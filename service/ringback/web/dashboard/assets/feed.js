// The journal as it grows, from a position on. Reconnects by itself, and notices a connection that
// is open and silent: the daemon's heart beats every 5 s.

const SILENCE_MS = 12_000;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 15_000;

export class Feed {
  #listener;
  #source = null;
  #timer = null;
  #failures = 0;
  #position;
  #closed = false;

  // `listener` has: event(position, cloudEvent), heartbeat(beat), reset(reason), lost(retryAt).
  constructor(position, listener) {
    this.#position = position;
    this.#listener = listener;
    this.#open();
  }

  get position() {
    return this.#position;
  }

  close() {
    this.#closed = true;
    this.#drop();
  }

  retryNow() {
    if (!this.#closed && this.#source === null) this.#open();
  }

  #open() {
    this.#drop();
    const source = new EventSource(`/api/v1/events?after=${this.#position}`);
    this.#source = source;
    source.onmessage = (message) => this.#event(message);
    source.addEventListener("heartbeat", (message) => this.#beat(message));
    source.addEventListener("reset", (message) => {
      this.close();
      this.#listener.reset(parse(message)?.reason ?? "the daemon asks for it");
    });
    // The browser would try again on its own, from wherever and for ever; here it is done with
    // growing pauses, and is shown.
    source.onerror = () => this.#lose();
    this.#watch();
  }

  #event(message) {
    const event = parse(message);
    if (event === null) return;
    this.#watch();
    this.#position = Number(message.lastEventId) || this.#position;
    this.#listener.event(this.#position, event);
  }

  #beat(message) {
    const beat = parse(message);
    if (beat === null) return;
    this.#failures = 0;
    this.#watch();
    this.#listener.heartbeat(beat);
  }

  #watch() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lose(), SILENCE_MS);
  }

  #lose() {
    if (this.#closed) return;
    this.#drop();
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#failures);
    const wait = longest * (0.75 + Math.random() / 4);
    this.#failures += 1;
    this.#timer = setTimeout(() => this.#open(), wait);
    this.#listener.lost(performance.now() + wait);
  }

  #drop() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }
}

function parse(message) {
  try {
    return JSON.parse(message.data);
  } catch {
    return null;
  }
}
