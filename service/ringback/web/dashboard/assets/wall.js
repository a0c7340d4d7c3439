// The wallboard: a few numbers, to be read from the far end of the room.
import { html } from "./html.js";
import { Charts } from "./charts.js";
import { Icon } from "./icons.js";
import { Age } from "./ticking.js";
import { ruleLabel, severityOf } from "./rules.js";
import { STATES, count, stateLabel } from "./words.js";

export function Wall({ view, link, queueName }) {
  const { unseen, worst } = view.stuck;
  return html`<main class="wall">
    <section class="wall-main" aria-label="Waiting now">
      <div class="wall-big" data-state="waiting">
        <span class="wall-label"><${Icon} name="waiting" size=${28} /> Waiting</span>
        <span class="wall-number" data-testid="wall-waiting"
          >${view.counts.waiting.toLocaleString("en")}</span
        >
        <span class="wall-sub"
          >${view.oldest.waiting ? html`longest <${Age} since=${view.oldest.waiting} />` : "nobody waits"}</span
        >
      </div>
      <div class="wall-big" data-severity=${worst ? severityOf(worst) : "none"}>
        <span class="wall-label"
          ><${Icon} name=${worst ? severityOf(worst) : "check"} size=${28} /> Alerts</span
        >
        <span class="wall-number">${unseen.toLocaleString("en")}</span>
        <span class="wall-sub">
          ${
            worst
              ? html`${worded(worst, queueName)} <${Age} since=${worst.since} />`
              : "no callback is stuck"
          }
        </span>
      </div>
    </section>
    <section class="wall-states" aria-label="Callbacks by state">
      ${Object.keys(STATES)
        .filter((state) => state !== "waiting")
        .map(
          (state) =>
            html`<div
              key=${state}
              class="wall-state"
              data-state=${state}
              data-empty=${view.counts[state] === 0}
            >
              <span class="wall-label"
                ><${Icon} name=${state} size=${22} /> ${stateLabel(state)}</span
              >
              <span class="wall-number">${view.counts[state].toLocaleString("en")}</span>
              <span class="wall-sub"
                >${view.oldest[state] ? html`longest <${Age} since=${view.oldest[state]} />` : "none"}</span
              >
            </div>`,
        )}
    </section>
    <${Charts} trends=${link.trends} />
    <p class="unseen">${count(view.total, "callback")} in all</p>
  </main>`;
}

function worded(alert, queueName) {
  const where = alert.source ?? (alert.queueId && queueName(alert.queueId));
  return `${ruleLabel(alert.rule)}${where ? `, ${where}` : ""}`;
}
