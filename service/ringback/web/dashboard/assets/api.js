// The daemon's HTTP API. An answer is its JSON; anything else is a `Failure` that says why.

const BASE = "/api/v1";
const PATIENCE_MS = 15_000;
const PAGE = 1000;

export class Failure extends Error {
  constructor(status, message, retryAfter) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

export async function get(path, query) {
  return ask(path + asQuery(query), { method: "GET" });
}

export async function post(path, body) {
  return ask(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body ?? {}),
  });
}

export async function del(path) {
  return ask(path, { method: "DELETE" });
}

// Every open callback, page by page. `position` is the earliest of the pages, which several daemons
// may have answered: what is in others already is told again by the feed, and told apart by its
// sequence.
export async function allCallbacks(onPage) {
  const rows = [];
  let answer;
  let position = Infinity;
  let cursor;
  do {
    answer = await get("/callbacks", { sort: "callbackId", limit: PAGE, cursor });
    position = Math.min(position, answer.position);
    rows.push(...answer.callbacks);
    onPage?.(rows.length, answer.total);
    cursor = answer.next;
  } while (cursor);
  return { rows, position, now: answer.now };
}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(BASE + path, {
      ...options,
      credentials: "same-origin",
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch {
    throw new Failure(0, "The daemon does not answer.");
  }
  if (!answer.ok) throw await failureOf(answer);
  return answer.status === 204 ? null : answer.json();
}

async function failureOf(answer) {
  const retryAfter = Number(answer.headers.get("retry-after")) || undefined;
  let problem = {};
  try {
    problem = await answer.json();
  } catch {
    // Not from the daemon: a proxy's page, for example.
  }
  const said = problem.detail ?? problem.title ?? `The answer was ${answer.status}.`;
  return new Failure(answer.status, said, retryAfter);
}

function asQuery(query) {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined);
  return given.length ? `?${new URLSearchParams(given)}` : "";
}
