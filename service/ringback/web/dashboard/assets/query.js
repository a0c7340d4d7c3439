// What is shown and how, in the address: a reload or a link gives the same view.
import { STATES } from "./words.js";

const LISTS = ["state", "queue", "agent", "alert"];
const SORTS = [
  "since",
  "scheduledTime",
  "autoDialAt",
  "offers",
  "state",
  "queueId",
  "userId",
  "waitSeconds",
  "holdSeconds",
];

const VIEWS = ["wall", "alerting"];

const EMPTY = { state: [], queue: [], agent: [], alert: [], unverified: false, q: "" };
const DEFAULT_SORT = "since";

export class Query {
  #listeners = new Set();

  constructor() {
    this.now = read();
    addEventListener("popstate", () => {
      this.now = read();
      this.#tell();
    });
  }

  // A change of what is filtered replaces the entry in the history; opening a callback or another
  // view makes one, so that Back closes it.
  set(changes, { step = false } = {}) {
    this.now = { ...this.now, ...changes };
    const address = `${location.pathname}${write(this.now)}`;
    history[step ? "pushState" : "replaceState"](null, "", address);
    this.#tell();
  }

  toggle(list, value) {
    const chosen = this.now[list];
    const without = chosen.filter((each) => each !== value);
    this.set({ [list]: without.length === chosen.length ? [...chosen, value] : without });
  }

  sortBy(key) {
    this.set({ sort: this.now.sort === key ? `-${key}` : key });
  }

  // To another view, or back to the list from it.
  look(view) {
    this.set({ view: this.now.view === view ? "list" : view }, { step: true });
  }

  clear() {
    this.set(EMPTY);
  }

  get filtered() {
    return LISTS.some((list) => this.now[list].length) || this.now.unverified || this.now.q !== "";
  }

  onChange(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }
}

function read() {
  const given = new URLSearchParams(location.search);
  const list = (name) => given.getAll(name).flatMap((each) => each.split(",").filter(Boolean));
  const sort = given.get("sort") ?? DEFAULT_SORT;
  return {
    state: list("state").filter((state) => state in STATES),
    queue: list("queue"),
    agent: list("agent"),
    alert: list("alert"),
    unverified: given.get("unverified") === "true",
    q: given.get("q") ?? "",
    sort: SORTS.includes(sort.replace("-", "")) ? sort : DEFAULT_SORT,
    view: VIEWS.includes(given.get("view")) ? given.get("view") : "list",
    open: given.get("open"),
  };
}

function write(query) {
  const given = new URLSearchParams();
  for (const name of LISTS) if (query[name].length) given.set(name, query[name].join(","));
  if (query.unverified) given.set("unverified", "true");
  if (query.q) given.set("q", query.q);
  if (query.sort !== DEFAULT_SORT) given.set("sort", query.sort);
  if (query.view !== "list") given.set("view", query.view);
  if (query.open) given.set("open", query.open);
  const text = given.toString().replaceAll("%2C", ",");
  return text ? `?${text}` : "";
}
