// All that the page knows of the contact centre. Events are taken as they come and folded together,
// once a frame at most; those who show are told a few times a second.
import { foldAlert, foldCallback } from "./fold.js";
import { silences } from "./silences.js";
import { urgency } from "./stuck.js";

const unseenFirst = (one, other) =>
  Boolean(one.acknowledged) - Boolean(other.acknowledged) || urgency(one, other);

const PAINT_MS = 200;
const HIDDEN_MS = 1000;

export class Store {
  rows = new Map();
  alerts = new Map();
  sources = [];
  silences = [];
  version = 0;
  #alertsOf = new Map();
  #silenced = new WeakMap();
  #listeners = new Set();
  #pending = [];
  #due = false;
  #paintedAt = 0;

  constructor() {
    document.addEventListener("visibilitychange", () => this.flush());
  }

  // A new snapshot takes the place of all that was known.
  replace(rows, alerts, sources) {
    this.#pending = [];
    this.rows = new Map(rows.map((row) => [row.callbackId, row]));
    this.alerts = new Map(alerts.map((alert) => [alert.alertId, alert]));
    this.#alertsOf = new Map();
    for (const alert of alerts) this.#index(alert);
    this.sources = sources;
    this.#tell();
  }

  take(event) {
    this.#pending.push(event);
    this.#schedule();
  }

  hearOf(sources) {
    this.sources = sources;
    this.version += 1;
    this.#schedule();
  }

  // Who is not told of what, as it was last read.
  silence(silences) {
    this.silences = silences;
    this.#silenced = new WeakMap();
    this.#tell();
  }

  // The alerts of one callback, the worst that nobody has seen first.
  alertsOf(callbackId) {
    const ids = this.#alertsOf.get(callbackId);
    return ids ? [...ids].map((id) => this.alerts.get(id)).sort(unseenFirst) : [];
  }

  // The silence that holds back an alert the longest; null if none does.
  silenceOf(alert) {
    if (!this.silences.length) return null;
    let found = this.#silenced.get(alert);
    if (found === undefined) {
      found = this.silences.findLast((each) => silences(each, alert)) ?? null;
      this.#silenced.set(alert, found);
    }
    return found;
  }

  onChange(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  flush() {
    this.#due = false;
    const events = this.#pending;
    this.#pending = [];
    for (const event of events) this.#apply(event);
    this.#tell();
  }

  #schedule() {
    if (this.#due) return;
    this.#due = true;
    const wait = Math.max(0, this.#paintedAt + PAINT_MS - performance.now());
    // In a page that nobody sees there are no frames, and what comes must not pile up.
    if (document.hidden) setTimeout(() => this.flush(), HIDDEN_MS);
    else setTimeout(() => requestAnimationFrame(() => this.#due && this.flush()), wait);
  }

  #apply(event) {
    const changed = foldCallback(this.rows, event);
    if (changed?.row) this.rows.set(changed.id, changed.row);
    else if (changed) this.rows.delete(changed.id);
    const alerted = foldAlert(this.alerts, event);
    if (alerted?.alert) {
      this.alerts.set(alerted.id, alerted.alert);
      this.#index(alerted.alert);
    } else if (alerted) {
      const { callbackId } = this.alerts.get(alerted.id);
      this.alerts.delete(alerted.id);
      this.#unindex(callbackId, alerted.id);
    }
  }

  // One about a source is of no callback.
  #index(alert) {
    if (!alert.callbackId) return;
    const known = this.#alertsOf.get(alert.callbackId) ?? new Set();
    this.#alertsOf.set(alert.callbackId, known.add(alert.alertId));
  }

  #unindex(callbackId, alertId) {
    const known = this.#alertsOf.get(callbackId);
    known?.delete(alertId);
    if (known?.size === 0) this.#alertsOf.delete(callbackId);
  }

  #tell() {
    this.version += 1;
    this.#paintedAt = performance.now();
    for (const listener of this.#listeners) listener();
  }
}
