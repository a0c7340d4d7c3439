// What is stuck, the oldest first, and taking note of it.
import { html, useState } from "./html.js";
import { Icon } from "./icons.js";
import { Age } from "./ticking.js";
import { post } from "./api.js";
import { announce } from "./announcing.js";
import { ruleLabel, short } from "./words.js";

export function Alerts({ store, link, queueName, onOpen }) {
  const all = [...store.alerts.values()].sort(
    (one, other) =>
      Boolean(one.acknowledged) - Boolean(other.acknowledged) || (one.since < other.since ? -1 : 1),
  );
  const firing = all.filter((alert) => !alert.acknowledged).length;
  return html`<section class="panel alerts" aria-labelledby="alerts-name">
    <h2 id="alerts-name">
      Alerts
      <span class="badge" data-kind=${firing ? "alert" : "none"} data-testid="firing">${firing}</span>
      ${all.length > firing && html`<span class="soft">${all.length - firing} acknowledged</span>`}
    </h2>
    ${
      all.length === 0
        ? html`<p class="empty-note"><${Icon} name="check" /> No callback is stuck.</p>`
        : html`<ul class="alert-list" tabindex="0" aria-label="Alerts">
          ${all.map(
            (alert) => html`<${Alert}
              key=${alert.alertId}
              alert=${alert}
              may=${link.session.role === "operator"}
              can=${link.phase !== "lost"}
              queueName=${queueName}
              onOpen=${onOpen}
            />`,
          )}
        </ul>`
    }
  </section>`;
}

function Alert({ alert, may, can, queueName, onOpen }) {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const acknowledge = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await post("/alerts/acknowledge", { alertId: alert.alertId });
      announce(`Acknowledged: ${ruleLabel(alert.rule)}`);
    } catch (error) {
      setProblem(error.message);
    }
    setBusy(false);
  };
  return html`<li class="alert" data-acknowledged=${Boolean(alert.acknowledged)} title=${alert.summary}>
    <button class="alert-open" onClick=${() => onOpen(alert.callbackId)}>
      <span class="alert-rule">
        <${Icon} name=${alert.acknowledged ? "check" : "alert"} /> ${ruleLabel(alert.rule)}
      </span>
      <span class="alert-where">
        <${Age} class="alert-age" since=${alert.since} /> · ${alert.queueId && `${queueName(alert.queueId)} · `}<span class="id">${short(alert.callbackId)}</span>
      </span>
    </button>
    ${
      alert.acknowledged
        ? html`<span class="alert-by">seen by ${alert.acknowledged.by}</span>`
        : may &&
          html`<button class="alert-take" disabled=${busy || !can} onClick=${acknowledge}>
          Acknowledge<span class="unseen"> ${ruleLabel(alert.rule)} ${short(alert.callbackId)}</span>
        </button>`
    }
    ${problem && html`<p class="alert-problem" role="alert">Not acknowledged: ${problem}</p>`}
  </li>`;
}
