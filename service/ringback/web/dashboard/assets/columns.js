// The columns of the table: how each is called, sorted and drawn.
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { Age, Countdown, Ticking } from "./ticking.js";
import { clock } from "./clock.js";
import { Severity, briefRule, ruleLabel, severityOf } from "./rules.js";
import { atMinute, duration, short, stateLabel } from "./words.js";

// A new one for each: an element that is used again keeps the page that it was in before.
const nothing = () => html`<span class="nothing" aria-label="none">–</span>`;

function drawState({ row, alerts }) {
  return html`<span class="state" data-state=${row.state}>
    <${Icon} name=${row.state} /><span class="state-name">${stateLabel(row.state)}</span>
    ${
      row.unverified &&
      html`<span class="mark" data-kind="doubt" title="Unverified: something may have been missed">
      <${Icon} name="doubt" size=${13} /><span class="unseen">unverified</span>
    </span>`
    }
    ${alerts.length > 0 && drawAlerts(alerts)}
  </span>`;
}

// The worst by name, the others by their number.
function drawAlerts([worst, ...others]) {
  return html`<span
      class="mark"
      data-severity=${worst.acknowledged ? "seen" : severityOf(worst)}
      title=${worst.summary}
    >
      <${Severity} of=${worst} size=${13} />
      <span class="mark-name">${briefRule(worst.rule)}</span>
    </span>
    ${
      others.length > 0 &&
      html`<span class="soft" title=${others.map((each) => ruleLabel(each.rule)).join(", ")}
        >+${others.length}<span class="unseen"> more alerts</span></span
      >`
    }`;
}

const drawSince = ({ row }) => html`<${Age} since=${row.since} />`;

const drawQueue = ({ row, queueName }) => (row.queueId ? queueName(row.queueId) : nothing());

const drawAgent = ({ row }) =>
  row.userId ? html`<span class="id" title=${row.userId}>${short(row.userId)}</span>` : nothing();

function drawScheduled({ row }) {
  if (!row.scheduledTime) return nothing();
  const at = atMinute(row.scheduledTime, clock.now());
  if (row.state !== "scheduled") return html`<span class="soft">${at}</span>`;
  return html`${at} <${Countdown} class="soft" until=${row.scheduledTime} late="late" />`;
}

function drawAutoDial({ row }) {
  if (!row.autoDialAt) return nothing();
  return html`<${Countdown} class="countdown" until=${row.autoDialAt} />`;
}

const drawOffers = ({ row }) => (row.offers ? String(row.offers) : nothing());

function drawWaited({ row }) {
  if (row.state === "waiting") {
    // `waitSeconds` is of the last event; the wait has gone on since.
    const text = (now) => duration(Math.max(row.waitSeconds * 1000, now - Date.parse(row.since)));
    return html`<${Ticking} text=${text} />`;
  }
  return row.waitSeconds ? duration(row.waitSeconds * 1000) : nothing();
}

function drawHeld({ row }) {
  if (row.state === "held") return html`<${Age} since=${row.since} />`;
  return row.holdSeconds ? duration(row.holdSeconds * 1000) : nothing();
}

const drawId = ({ row }) =>
  html`<span class="id" title=${row.conversationId}>${short(row.conversationId)}</span>`;

export const COLUMNS = [
  { key: "state", label: "State", sort: "state", draw: drawState },
  { key: "since", label: "In state", sort: "since", number: true, draw: drawSince },
  { key: "queue", label: "Queue", sort: "queueId", draw: drawQueue },
  { key: "agent", label: "Agent", sort: "userId", draw: drawAgent },
  {
    key: "scheduled",
    label: "Scheduled",
    sort: "scheduledTime",
    number: true,
    draw: drawScheduled,
  },
  { key: "autodial", label: "Auto-dial", sort: "autoDialAt", number: true, draw: drawAutoDial },
  { key: "offers", label: "Offers", sort: "offers", number: true, draw: drawOffers },
  { key: "waited", label: "Waited", sort: "waitSeconds", number: true, draw: drawWaited },
  { key: "held", label: "Held", sort: "holdSeconds", number: true, draw: drawHeld },
  { key: "id", label: "Id", title: "Id of the conversation", draw: drawId },
];
