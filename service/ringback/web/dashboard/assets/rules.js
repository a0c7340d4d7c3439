// Rules and severities in people's words, and what an alert rests on.
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { atSecond, worded } from "./words.js";

// The worst first. Each has a shape of its own: an octagon, a triangle, a circle.
export const SEVERITIES = { critical: "Critical", warning: "Warning", info: "Info" };
const RANKS = Object.fromEntries(Object.keys(SEVERITIES).map((name, index) => [name, index]));

// What earlier versions have told had none.
export const severityOf = (alert) => (alert.severity in SEVERITIES ? alert.severity : "warning");
export const rankOf = (alert) => RANKS[severityOf(alert)];

// Only what its name does not say well enough.
const RULES = {
  due_not_released: "Due, not released",
  connected_not_dialled: "Accepted, not dialled",
  auto_dial_missed: "Auto-dial missed",
  dialing_too_long: "Dialling too long",
  held_too_long: "On hold too long",
  held_in_total: "On hold too long in total",
  after_call_work_too_long: "After-call work too long",
  too_old: "In one state for hours",
};

// In a row the state stands before it: "Accepted, not dialled".
const BRIEF_RULES = {
  due_not_released: "not released",
  connected_not_dialled: "not dialled",
  auto_dial_missed: "missed",
  waiting_too_long: "too long",
  alerting_too_long: "too long",
  dialing_too_long: "too long",
  held_too_long: "too long",
  talking_too_long: "too long",
  after_call_work_too_long: "too long",
  too_old: "for hours",
};

export const ruleLabel = (rule) => RULES[rule] ?? worded(rule);
export const briefRule = (rule) => BRIEF_RULES[rule] ?? worded(rule);

// The shape, and the word for those who cannot see it; with `said` for everybody.
export function Severity({ of, said = false, size = 16 }) {
  const severity = severityOf(of);
  return html`<span class="severity" data-severity=${severity}>
    <${Icon} name=${severity} size=${size} />${" "}
    <span class=${said ? "" : "unseen"}>${SEVERITIES[severity]}</span>
  </span>`;
}

const INSTANT = /\d{4}-\d\d-\d\dT[\d:.]+Z/;

// Null for what earlier versions have told: they have not said.
function proofWords(proof) {
  if (!proof) return null;
  if (!proof.confirmed) {
    const why = proof.why ?? "nothing has looked again";
    return `unconfirmed: ${why.replace(INSTANT, (time) => atSecond(time))}`;
  }
  return `confirmed by a ${proof.by ?? "read"}${proof.time ? ` at ${atSecond(proof.time)}` : ""}`;
}

export function Proof({ proof }) {
  const words = proofWords(proof);
  return (
    words &&
    html`<span class="proof" data-confirmed=${proof.confirmed}>
      <${Icon} name=${proof.confirmed ? "check" : "doubt"} size=${12} /> ${words}
    </span>`
  );
}
