// Whom nobody is told of for a while: which alerts a silence is about, and what it says. Pure, and
// the same as the daemon decides for its receivers.
import { SEVERITIES, ruleLabel } from "./rules.js";
import { short } from "./words.js";

const LABEL = "label.";

export const silences = (silence, alert) =>
  silence.matchers.every(({ field, value, prefix }) =>
    textsOf(alert, field).some((text) => (prefix ? text.startsWith(value) : text === value)),
  );

function textsOf(alert, field) {
  const texts = field.startsWith(LABEL)
    ? [alert.labels?.[field.slice(LABEL.length)]]
    : field === "callback"
      ? [alert.callbackId, alert.conversationId]
      : [{ queue: alert.queueId }[field] ?? alert[field]];
  return texts.filter(Boolean);
}

// "Waiting too long, in Sales"
export function matchersWords(matchers, queueName) {
  const said = matchers.map(({ field, value, prefix }) => {
    if (field === "rule") return prefix ? `rules ${value}…` : ruleLabel(value);
    if (field === "queue") return `in ${queueName(value)}`;
    if (field === "callback") return `callback ${short(value)}`;
    if (field === "severity") return (SEVERITIES[value] ?? value).toLowerCase();
    return `${field.replace(LABEL, "")} ${value}${prefix ? "…" : ""}`;
  });
  return said.join(", ");
}
