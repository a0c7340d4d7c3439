// What stands around the alerts: who is told of them, what nobody is told of, and by which rules.
import { get } from "./api.js";

const EVERY_MS = 15_000;

export class Around {
  receivers = [];
  rules = null;
  rulesProblem = null;
  #link;
  #store;
  #listeners = new Set();
  #wanted = false;

  constructor(link, store) {
    this.#link = link;
    this.#store = store;
    let before = null;
    link.onChange(() => {
      if (link.phase === "live" && before !== "live") this.read();
      before = link.phase;
    });
    setInterval(() => link.phase === "live" && this.read(), EVERY_MS);
  }

  onChange(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // From then on the rules are read too: few look at them.
  wantRules() {
    if (this.#wanted) return;
    this.#wanted = true;
    this.read();
  }

  async read() {
    try {
      const [silences, receivers, rules] = await Promise.all([
        get("/silences"),
        get("/receivers"),
        this.#wanted ? get("/rules") : null,
      ]);
      this.receivers = receivers.receivers;
      if (rules) {
        this.rules = rules.rules;
        this.rulesProblem = rules.problem ?? null;
      }
      this.#store.silence(silences.silences);
    } catch {
      // The feed says whether the daemon is there; what is known stays.
    }
    for (const listener of this.#listeners) listener();
  }
}
