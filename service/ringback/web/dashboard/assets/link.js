// Joins snapshot and feed without a hole, and knows how fresh what is shown is.
import { Failure, allCallbacks, get } from "./api.js";
import { HOURS } from "./charts.js";
import { clock } from "./clock.js";
import { Feed } from "./feed.js";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 15_000;
const TRENDS_MS = 30_000;

// `phase` is one of:
//   loading  nothing to show yet
//   live     following; what is shown is the present
//   behind   following again, and still reading what happened meanwhile
//   lost     what is shown is of `asOf`; trying again at `retryAt`
export class Link {
  phase = "loading";
  loaded = 0;
  total = 0;
  problem = null;
  asOf = null;
  retryAt = null;
  behindMs = 0;
  session = { role: "viewer", queues: {}, org: "" };
  trends = null;
  summary = null;
  #store;
  #feed = null;
  #failures = 0;
  #timer = null;
  #listeners = new Set();

  constructor(store) {
    this.#store = store;
    addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.retryNow();
    });
    setInterval(() => this.phase === "live" && this.readTrends(), TRENDS_MS);
  }

  start() {
    return this.#load();
  }

  retryNow() {
    if (this.phase !== "lost" && !this.problem) return;
    if (this.#feed) this.#feed.retryNow();
    else this.#load();
  }

  // Where a log out leads is the answer's to say: the feed is cut off with the session, and asking
  // for a login then would race with it.
  leave() {
    clearTimeout(this.#timer);
    this.#feed?.close();
  }

  onChange(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #load() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#feed?.close();
    this.#feed = null;
    try {
      const session = await get("/session");
      const [snapshot, alerts, sources] = await Promise.all([
        allCallbacks((loaded, total) => this.#set({ loaded, total })),
        get("/alerts"),
        get("/sources"),
      ]);
      clock.hear(snapshot.now);
      clock.resume();
      this.#failures = 0;
      // Alerts may have been read at an older position than the callbacks: the feed starts there.
      const position = Math.min(snapshot.position, alerts.position, sources.position);
      this.#store.replace(snapshot.rows, alerts.alerts, sources.sources);
      this.#set({ phase: "live", problem: null, retryAt: null, session, asOf: clock.now() });
      this.#feed = new Feed(position, this);
      this.readTrends();
    } catch (error) {
      if (!(error instanceof Failure)) console.error(error);
      this.#fail(error);
    }
  }

  async readTrends() {
    try {
      const [trends, summary] = await Promise.all([
        get("/trends", { hours: HOURS }),
        get("/summary"),
      ]);
      this.#set({ trends, summary });
    } catch {
      // The feed says whether the daemon is there; the charts keep what they have.
    }
  }

  // What the feed tells.

  event(position, event) {
    if (this.phase === "behind" || this.phase === "lost") {
      this.behindMs = Math.max(0, clock.now() - Date.parse(event.data.observedTime ?? event.time));
      if (this.phase === "lost") this.#set({ phase: "behind", problem: null });
    }
    this.#store.take(event);
  }

  heartbeat(beat) {
    clock.hear(beat.now);
    const behind = beat.position > this.#feed?.position;
    if (beat.sources) this.#store.hearOf(merged(this.#store.sources, beat.sources));
    if (behind && this.phase !== "live") return;
    if (this.phase !== "live") {
      clock.resume();
      this.readTrends();
    }
    this.behindMs = 0;
    this.#set({ phase: "live", problem: null, retryAt: null, asOf: clock.now() });
  }

  reset() {
    this.#feed = null;
    this.#load();
  }

  async lost(retryAt) {
    if (this.phase === "live") clock.stop(this.asOf);
    this.#set({ phase: "lost", retryAt });
    // The feed cannot say why; the daemon may be there and want a login.
    try {
      await get("/session");
    } catch (error) {
      this.#signIn(error);
    }
  }

  #fail(error) {
    this.#signIn(error);
    const growing = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#failures);
    const wait = error.retryAfter ? error.retryAfter * 1000 : growing;
    this.#failures += 1;
    this.#timer = setTimeout(() => this.#load(), wait);
    if (this.phase === "live") clock.stop(this.asOf);
    this.#set({
      phase: this.asOf === null ? "loading" : "lost",
      problem: error.message,
      retryAt: performance.now() + wait,
    });
  }

  #signIn(error) {
    if (error.status !== 401) return;
    location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  }

  #set(changes) {
    Object.assign(this, changes);
    for (const listener of this.#listeners) listener();
  }
}

// A heartbeat knows less of a source than the API does.
function merged(known, beats) {
  return beats.map((beat) => {
    const before = known.find((source) => source.name === beat.name) ?? {};
    return { ...before, blindSince: undefined, ...beat };
  });
}
