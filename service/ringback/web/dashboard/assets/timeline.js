// One callback's life to scale: a lane of states, one of holds, one of offers, and marks for
// deadlines, alerts and gaps. A table beside it says the same in words.
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { clock } from "./clock.js";
import { ruleLabel, severityOf } from "./rules.js";
import { atSecond, duration, stateLabel, worded } from "./words.js";

const WIDE = 1000;
const HIGH = 132;
const LANES = { states: [16, 30], holds: [54, 10], offers: [70, 10] };
const BASE = 96;

export function Timeline({ life, now }) {
  const span = spanOf(life, now);
  const x = (time) => ((instant(time, now) - span.from) / (span.until - span.from)) * WIDE;
  const bar = (lane, from, until, attributes, label) => {
    const [top, high] = LANES[lane];
    const left = x(from);
    return html`<rect
      ...${attributes}
      x=${left}
      y=${top}
      height=${high}
      rx="2"
      width=${Math.max(2, x(until) - left)}
      ><title>${label}</title></rect
    >`;
  };
  const marks = life.deadlines.filter((each) => within(each.at, span));
  return html`<svg
      class="timeline"
      viewBox=${`0 0 ${WIDE} ${HIGH}`}
      preserveAspectRatio="none"
      role="img"
      aria-label=${`Timeline from ${atSecond(span.from)} to ${atSecond(span.until)}; the table below has every state`}
    >
      ${life.gaps
        .filter((gap) => instant(gap.until, now) >= span.from)
        .map(
          (gap) =>
            html`<rect
              class="gap"
              x=${Math.max(0, x(gap.from))}
              y="4"
              height=${BASE - 4}
              width=${Math.max(3, x(gap.until) - Math.max(0, x(gap.from)))}
            >
              <title>Nothing was heard: ${worded(gap.cause)}</title></rect
            >`,
        )}
      ${life.states.map((each) =>
        bar(
          "states",
          each.from,
          each.until,
          { class: "state-bar", "data-state": each.state },
          `${stateLabel(each.state)}, ${duration(instant(each.until, now) - instant(each.from))}`,
        ),
      )}
      ${holdsOf(life).map((each) => bar("holds", each.from, each.until, { class: "hold-bar" }, "On hold"))}
      ${life.offers
        .filter((each) => each.from)
        .map((each) =>
          bar(
            "offers",
            each.from,
            each.until,
            { class: "offer-bar", "data-result": each.result },
            `Offer: ${worded(each.result)}`,
          ),
        )}
      ${marks.map(
        (each) =>
          html`<path class="deadline" data-state=${each.state} d=${`M${x(each.at)} 6V${BASE}`}
            ><title>${ruleLabel(each.kind)} at ${atSecond(each.at)}</title></path
          >`,
      )}
      ${life.alerts.map(
        (each) =>
          html`<path class="alert-mark" data-severity=${severityOf(each)} d=${`M${x(each.since)} 2V${BASE}`}>
            <title>${each.summary}</title></path
          >`,
      )}
      <path class="axis" d=${`M0 ${BASE}H${WIDE}`} />
      ${ticksOf(span).map((tick) => html`<path class="axis" d=${`M${x(tick)} ${BASE}v5`} />`)}
    </svg>
    <div class="timeline-names" aria-hidden="true">
      ${life.states.map((each) => nameOf(each, x(each.from), x(each.until)))}
    </div>
    <div class="timeline-times" aria-hidden="true">
      ${ticksOf(span).map((tick) => html`<span style=${{ left: `${x(tick) / (WIDE / 100)}%` }}>${span.until - span.from < 600_000 ? atSecond(tick) : atSecond(tick).slice(0, 5)}</span>`)}
    </div>
    <${Legend} life=${life} marks=${marks} />`;
}

// Within the bar, where there is room for the name or at least for the sign.
function nameOf({ state }, left, right) {
  const wide = right - Math.max(0, left);
  if (wide < 45) return null;
  return html`<span style=${{ left: `${Math.max(0, left) / 10}%`, width: `${wide / 10}%` }}>
    <${Icon} name=${state} size=${13} /> ${wide > 150 && stateLabel(state)}
  </span>`;
}

const SIGNS = {
  hold: "On hold",
  offer: "Offer",
  deadline: "Deadline",
  alert: "Alert",
  gap: "Nothing heard",
};

function Legend({ life, marks }) {
  const there = {
    hold: holdsOf(life).length,
    offer: life.offers.some((each) => each.from),
    deadline: marks.length,
    alert: life.alerts.length,
    gap: life.gaps.length,
  };
  return html`<ul class="legend">
    ${Object.keys(SIGNS)
      .filter((sign) => there[sign])
      .map((sign) => html`<li key=${sign}><i data-sign=${sign}></i>${SIGNS[sign]}</li>`)}
  </ul>`;
}

// A callback may have been scheduled weeks ago: then what came after its release is what is drawn,
// and its start is cut off.
function spanOf(life, now) {
  const until = instant(life.ended, now);
  const times = life.states.map((each) => instant(each.from));
  let from = times.length ? Math.min(...times) : instant(life.firstSeen);
  if (life.states[0]?.state === "scheduled" && life.states.length > 1) {
    const rest = until - instant(life.states[1].from);
    from = Math.max(from, instant(life.states[1].from) - Math.max(60_000, rest / 4));
  }
  const ahead = life.deadlines
    .filter((each) => each.state === "armed")
    .map((each) => instant(each.at))
    .filter((at) => at - until < Math.max(60_000, (until - from) / 2));
  return { from, until: Math.max(until, from + 1000, ...ahead) };
}

function ticksOf({ from, until }) {
  const steps = [1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];
  const step = 1000 * (steps.find((each) => (until - from) / (each * 1000) <= 6) ?? 7 * 86400);
  const ticks = [];
  for (let at = Math.ceil(from / step) * step; at <= until; at += step) ticks.push(at);
  // Those at the very edges would be cut off.
  const room = (until - from) / 25;
  return ticks.filter((at) => at - from > room && until - at > room);
}

const holdsOf = (life) => life.legs.flatMap((leg) => leg.holds ?? []);
const within = (at, span) => instant(at) >= span.from && instant(at) <= span.until;
const instant = (time, now = clock.now()) =>
  time === undefined || time === null ? now : typeof time === "number" ? time : Date.parse(time);
