// One callback's facts in tables: its states, deadlines, alerts, legs, gaps and events.
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { Ticking } from "./ticking.js";
import { clock } from "./clock.js";
import { Proof, Severity, ruleLabel } from "./rules.js";
import { atMinute, atSecond, duration, short, stateLabel, worded } from "./words.js";

const CAUSES = {
  notification: "frame",
  reconcile: "REST read",
  timer: "timer",
  operator: "operator",
};
const DEADLINES = {
  scheduled: "Scheduled for",
  late: "Counts as late",
  auto_dial: "Automatic call",
  auto_dial_missed: "Counts as missed",
};

function Listed({ name, columns, rows, open = true }) {
  return html`<details class="listed" open=${open}>
    <summary><h3>${name}</h3></summary>
    <table>
      <thead>
        <tr>
          ${columns.map((column) => html`<th scope="col">${column}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (cells) =>
            html`<tr>
              ${cells.map((cell) => html`<td>${cell}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </details>`;
}

export function States({ life }) {
  const rows = life.states.map((each) => [
    html`<span class="state" data-state=${each.state}
      ><${Icon} name=${each.state} /> ${stateLabel(each.state)}</span
    >`,
    atMinute(each.from, clock.now()).includes(",")
      ? atMinute(each.from, clock.now())
      : atSecond(each.from),
    each.until || life.ended
      ? duration((each.seconds ?? 0) * 1000)
      : html`<${Ticking} text=${(now) => duration(now - Date.parse(each.from))} />`,
    each.clock + (each.mixed ? ", mixed" : ""),
    [
      CAUSES[each.cause] ?? each.cause,
      each.lateSeconds >= 1 && `${Math.round(each.lateSeconds)} s late`,
    ]
      .filter(Boolean)
      .join(", "),
  ]);
  return html`<${Listed}
    name="States"
    columns=${["State", "From", "For", "Clock", "Rests on"]}
    rows=${rows}
  />`;
}

// What it comes to next, alerts that are pending among them.
export function Deadlines({ deadlines }) {
  const rows = deadlines.map((each) => [
    deadlineLabel(each),
    atMinute(each.at, clock.now()).includes(",")
      ? atMinute(each.at, clock.now())
      : atSecond(each.at),
    html`<${Ticking} text=${(now) => leftOf(Date.parse(each.at) - now)} />`,
    each.clock,
  ]);
  return html`<${Listed}
    name="Deadlines"
    columns=${["What", "At", "In", "Clock"]}
    rows=${rows}
  />`;
}

const leftOf = (ms) => (ms >= 0 ? duration(ms + 999) : `${duration(-ms)} ago`);

function deadlineLabel({ kind, severity }) {
  if (DEADLINES[kind]) return DEADLINES[kind];
  return html`<${Severity} of=${{ severity }} size=${13} /> Alert: ${ruleLabel(kind)}`;
}

export function Raised({ alerts }) {
  const rows = alerts.map((each) => [
    html`<${Severity} of=${each} size=${13} /> ${ruleLabel(each.rule)}
      ${each.proof && html`<br /><${Proof} proof=${each.proof} />`}`,
    atSecond(each.since),
    each.until ? `${atSecond(each.until)} ${worded(each.reason)}` : "still",
    each.acknowledged ? `${each.acknowledged.by}, ${atSecond(each.acknowledged.time)}` : "–",
  ]);
  return html`<${Listed}
    name="Alerts"
    columns=${["Alert", "Since", "Until", "Seen by"]}
    rows=${rows}
  />`;
}

export function Legs({ legs, queueName }) {
  const rows = legs.map((each) => [
    `${worded(each.role)}, ${each.medium}`,
    worded(each.phase),
    (each.userId && html`<span class="id" title=${each.userId}>${short(each.userId)}</span>`) ||
      (each.queueId && queueName(each.queueId)) ||
      "–",
    each.connectedTime ? atSecond(each.connectedTime) : "–",
    each.endedTime ? atSecond(each.endedTime) : "–",
  ]);
  return html`<${Listed}
    name="Legs"
    columns=${["Leg", "Phase", "Who", "Connected", "Ended"]}
    rows=${rows}
    open=${false}
  />`;
}

export function Gaps({ gaps }) {
  const rows = gaps.map((each) => [
    each.source,
    atSecond(each.from),
    each.until ? atSecond(each.until) : "still",
    worded(each.cause),
  ]);
  return html`<${Listed}
    name="Gaps"
    columns=${["Source", "From", "Until", "Cause"]}
    rows=${rows}
  />`;
}

export function Events({ events }) {
  const rows = events.map((each) => [
    atSecond(each.time),
    worded(each.type.replace(/^ringback\.(callback|alert)\.|\.v1$/g, "")),
    (each.reasons ?? []).map(worded).join(", ") || "–",
    CAUSES[each.cause] ?? each.cause ?? "–",
  ]);
  return html`<${Listed}
    name=${`Events (${events.length})`}
    columns=${["Time", "Event", "What", "Rests on"]}
    rows=${rows}
    open=${false}
  />`;
}
