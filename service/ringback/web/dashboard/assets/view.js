// What of all callbacks is to be shown: filtered, in order, and counted.
import { STATES } from "./words.js";

const ORDER = Object.fromEntries(Object.keys(STATES).map((state, index) => [state, index]));

// Counts are of what the other filters leave, so that a state that is not chosen is still counted.
export function viewOf(store, query, queueName) {
  const counts = Object.fromEntries(Object.keys(STATES).map((state) => [state, 0]));
  const oldest = {};
  const queues = new Set();
  const agents = new Set();
  const list = [];
  let unverified = 0;
  const fits = filterOf(store, query, queueName);
  for (const row of store.rows.values()) {
    if (row.queueId) queues.add(row.queueId);
    if (row.userId) agents.add(row.userId);
    if (row.unverified) unverified += 1;
    if (!fits(row)) continue;
    counts[row.state] = (counts[row.state] ?? 0) + 1;
    if (!(row.since >= oldest[row.state])) oldest[row.state] = row.since;
    if (!query.state.length || query.state.includes(row.state)) list.push(row);
  }
  list.sort(orderOf(query.sort, queueName));
  return { list, counts, oldest, queues, agents, unverified, total: store.rows.size };
}

function filterOf(store, query, queueName) {
  const tests = [];
  if (query.queue.length) tests.push((row) => query.queue.includes(row.queueId));
  if (query.agent.length) tests.push((row) => query.agent.includes(row.userId));
  if (query.unverified) tests.push((row) => row.unverified);
  if (query.alert.length) {
    const any = query.alert.includes("any");
    tests.push((row) =>
      store.alertsOf(row.callbackId).some((alert) => any || query.alert.includes(alert.rule)),
    );
  }
  if (query.q) {
    const wanted = query.q.trim().toLowerCase();
    tests.push((row) =>
      [row.callbackId, row.conversationId, row.userId, row.queueId && queueName(row.queueId)]
        .concat(row.queueId, row.contact)
        .some((text) => text?.toLowerCase().includes(wanted)),
    );
  }
  return (row) => tests.every((test) => test(row));
}

// What is not known comes last, whichever way; ties are broken by id, so that rows never dance.
function orderOf(sort, queueName) {
  const down = sort.startsWith("-");
  const key = down ? sort.slice(1) : sort;
  const value =
    {
      state: (row) => ORDER[row.state],
      queueId: (row) => row.queueId && queueName(row.queueId),
    }[key] ?? ((row) => row[key]);
  const sign = down ? -1 : 1;
  return (one, other) => {
    const left = value(one);
    const right = value(other);
    if (left !== right) {
      if (left === undefined) return 1;
      if (right === undefined) return -1;
      return left < right ? -sign : sign;
    }
    return one.callbackId < other.callbackId ? -1 : 1;
  };
}
