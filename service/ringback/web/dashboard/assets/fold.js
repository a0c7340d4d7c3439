// How events change rows and alerts: the same fold as the daemon's own board. Pure; a row that
// changes is a new object, so whoever shows it sees by identity whether there is anything to do.

const CALLBACK = /^ringback\.callback\.(\w+)\.v1$/;
const ALERT = /^ringback\.alert\.(\w+)\.v1$/;
const NO_STATE = new Set(["updated", "unverified", "verified", "anomaly"]);
const FACTS = [
  "queueId",
  "userId",
  "scheduledTime",
  "autoDialAt",
  "offers",
  "holdSeconds",
  "waitSeconds",
];

const TOLD = [
  "alertId",
  "rule",
  "kind",
  "severity",
  "summary",
  "labels",
  "proof",
  "callbackId",
  "conversationId",
  "source",
  "state",
  "stateSince",
  "since",
  "queueId",
  "userId",
];

// Gives `{id, row}`, row null if there is none any more; null if the event changes nothing.
export function foldCallback(rows, event) {
  const kind = CALLBACK.exec(event.type)?.[1];
  if (!kind || kind === "anomaly") return null;
  const data = event.data;
  const id = data.callbackId;
  const before = rows.get(id);
  if (before && event.sequence <= before.sequence) return null;
  if (data.state === "disconnected") return before ? { id, row: null } : null;
  const row = {
    callbackId: id,
    conversationId: data.conversationId,
    state: data.state,
    since: before?.since ?? event.time,
    clock: before?.clock ?? data.clock?.name,
    sequence: event.sequence,
    unverified: data.unverified ?? false,
    contact: data.contact ?? before?.contact,
  };
  if (!NO_STATE.has(kind)) {
    row.since = event.time;
    row.clock = data.clock?.name;
  }
  for (const fact of FACTS) row[fact] = data[fact];
  return { id, row };
}

// Gives `{id, alert}`, alert null if it is over; null if the event is about none.
export function foldAlert(alerts, event) {
  const kind = ALERT.exec(event.type)?.[1];
  if (!kind) return null;
  const data = event.data;
  const id = data.alertId;
  const before = alerts.get(id);
  if (kind === "resolved") return before ? { id, alert: null } : null;
  if (kind === "acknowledged") {
    if (!before) return null;
    return { id, alert: { ...before, acknowledged: { by: data.by, time: event.time } } };
  }
  const alert = Object.fromEntries(TOLD.map((fact) => [fact, data[fact]]));
  return { id, alert: { ...alert, acknowledged: before?.acknowledged } };
}
