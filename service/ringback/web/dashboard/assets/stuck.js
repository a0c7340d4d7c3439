// All alerts in the order in which somebody should look at them: by severity, then the oldest first;
// those that somebody has seen, and those nobody is to be told of, below. Pure.
import { SEVERITIES, rankOf, severityOf } from "./rules.js";

// So many of one rule and queue are one entry, that can be opened.
const GROUPED_FROM = 4;

// Gives `sections` of entries, and how many alerts nobody has seen. An entry has the `alerts` of one
// rule and queue, mostly one.
export function stuckOf(store) {
  const parts = Object.fromEntries(
    [...Object.keys(SEVERITIES), "seen", "silenced"].map((name) => [name, []]),
  );
  const rules = new Set();
  for (const alert of store.alerts.values()) {
    rules.add(alert.rule);
    parts[partOf(alert, store)].push(alert);
  }
  const sections = Object.entries(parts)
    .filter(([, alerts]) => alerts.length)
    .map(([name, alerts]) => ({ name, alerts: alerts.length, entries: entriesOf(alerts) }));
  const unseen = Object.keys(SEVERITIES).flatMap((name) => parts[name]);
  return { sections, rules, unseen: unseen.length, worst: unseen[0] ?? null };
}

function partOf(alert, store) {
  if (store.silenceOf(alert)) return "silenced";
  return alert.acknowledged ? "seen" : severityOf(alert);
}

export const urgency = (one, other) =>
  rankOf(one) - rankOf(other) ||
  (one.since === other.since
    ? one.alertId < other.alertId
      ? -1
      : 1
    : one.since < other.since
      ? -1
      : 1);

// A group stands where its oldest alert would.
function entriesOf(alerts) {
  alerts.sort(urgency);
  const together = new Map();
  for (const alert of alerts) {
    const key = alert.callbackId
      ? `${alert.severity}/${alert.rule}/${alert.queueId}`
      : alert.alertId;
    const known = together.get(key);
    if (known) known.alerts.push(alert);
    else together.set(key, { key, alerts: [alert] });
  }
  const entries = [];
  for (const group of together.values()) {
    if (group.alerts.length >= GROUPED_FROM) entries.push(group);
    else for (const alert of group.alerts) entries.push({ key: alert.alertId, alerts: [alert] });
  }
  return entries.sort((one, other) => urgency(one.alerts[0], other.alerts[0]));
}
