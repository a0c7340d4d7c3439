// What is stuck, the worst first, and taking note of it.
import { html, useState } from "./html.js";
import { Icon } from "./icons.js";
import { Age } from "./ticking.js";
import { post } from "./api.js";
import { announce } from "./announcing.js";
import { Proof, SEVERITIES, Severity, ruleLabel, severityOf } from "./rules.js";
import { Silencing } from "./silencing.js";
import { clock } from "./clock.js";
import { atMinute, count, short } from "./words.js";

const MOST_OPENED = 50;
const LOWER = { seen: ["check", "Acknowledged"], silenced: ["silent", "Silenced"] };

export function Alerts({ stuck, store, link, query, queueName, onOpen, onSilence }) {
  const [silencing, setSilencing] = useState(null);
  const deeds = {
    may: link.session.role === "operator",
    can: link.phase !== "lost",
    queueName,
    onOpen,
    query,
    store,
    onSilence: setSilencing,
  };
  return html`<section class="panel alerts" aria-labelledby="alerts-name">
    <h2 id="alerts-name">
      Alerts
      <span
        class="badge"
        data-severity=${stuck.worst && severityOf(stuck.worst)}
        data-testid="firing"
        >${stuck.unseen}</span
      >
    </h2>
    ${
      stuck.sections.length === 0
        ? html`<p class="empty-note"><${Icon} name="check" /> No callback is stuck.</p>`
        : html`<div class="alert-list" tabindex="0" role="group" aria-label="Alerts">
          ${stuck.sections.map((each) => html`<${Section} key=${each.name} section=${each} deeds=${deeds} />`)}
        </div>`
    }
    ${
      silencing &&
      html`<${Silencing}
        alerts=${silencing}
        queueName=${queueName}
        onDone=${onSilence}
        onClose=${() => setSilencing(null)}
      />`
    }
  </section>`;
}

function Section({ section, deeds }) {
  const { name, alerts, entries } = section;
  const [icon, words] = LOWER[name] ?? [name, SEVERITIES[name]];
  return html`<section class="alert-part" data-severity=${name}>
    <h3><${Icon} name=${icon} size=${14} /> ${words} <span class="soft">${alerts}</span></h3>
    <ul>
      ${entries.map((entry) =>
        entry.alerts.length > 1
          ? html`<${Group} key=${entry.key} alerts=${entry.alerts} name=${name} deeds=${deeds} />`
          : html`<${Alert} key=${entry.key} alert=${entry.alerts[0]} name=${name} deeds=${deeds} />`,
      )}
    </ul>
  </section>`;
}

// Acknowledging one alert after the other; what cannot be acknowledged is said.
function useTaking(alerts) {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const take = async () => {
    setBusy(true);
    setProblem(null);
    try {
      for (const { alertId, acknowledged } of alerts)
        if (!acknowledged) await post("/alerts/acknowledge", { alertId });
      announce(`Acknowledged: ${ruleLabel(alerts[0].rule)}`);
    } catch (error) {
      setProblem(error.message);
    }
    setBusy(false);
  };
  return { problem, busy, take };
}

function Alert({ alert, name, deeds }) {
  const { problem, busy, take } = useTaking([alert]);
  return html`<li
    class="alert"
    data-severity=${severityOf(alert)}
    data-low=${name in LOWER}
    title=${alert.summary}
  >
    <button class="alert-open" disabled=${!alert.callbackId} onClick=${() => deeds.onOpen(alert.callbackId)}>
      <span class="alert-rule">
        <${Severity} of=${alert} /> <span class="alert-name">${ruleLabel(alert.rule)}</span>
      </span>
      <span class="alert-where">
        <${Age} class="alert-age" since=${alert.since} /> · ${whereOf(alert, deeds.queueName)}
      </span>
    </button>
    <${Deeds} alerts=${[alert]} name=${name} busy=${busy} deeds=${deeds} onTake=${take} of=${`${ruleLabel(alert.rule)} ${alert.source ?? short(alert.callbackId)}`} />
    <p class="alert-rests">
      <${Proof} proof=${alert.proof} />
      ${alert.acknowledged && html`<span class="alert-by">seen by ${alert.acknowledged.by}</span>`}
    </p>
    ${name === "silenced" && html`<${Silenced} silence=${deeds.store.silenceOf(alert)} />`}
    <${Problem} problem=${problem} />
  </li>`;
}

// Many of one rule and queue: one entry, which opens.
function Group({ alerts, name, deeds }) {
  const [open, setOpen] = useState(false);
  const { problem, busy, take } = useTaking(alerts);
  const [{ rule, queueId, since }] = alerts;
  const what = `${count(alerts.length, "callback")}${queueId ? ` of ${deeds.queueName(queueId)}` : ""}`;
  return html`<li class="alert" data-group="true" data-severity=${severityOf(alerts[0])} data-low=${name in LOWER}>
    <button class="alert-open" aria-expanded=${open} onClick=${() => setOpen(!open)}>
      <span class="alert-rule">
        <${Severity} of=${alerts[0]} /> <span class="alert-name">${what}</span>
        <${Icon} name=${open ? "opened" : "closed"} size=${14} />
      </span>
      <span class="alert-where">
        ${ruleLabel(rule)} · longest <${Age} class="alert-age" since=${since} />
      </span>
    </button>
    <p class="alert-rests"><span class="proof">${proofsOf(alerts)}</span></p>
    <${Deeds} alerts=${alerts} name=${name} busy=${busy} deeds=${deeds} onTake=${take} of=${`${what}: ${ruleLabel(rule)}`} />
    ${name === "silenced" && html`<${Silenced} silence=${deeds.store.silenceOf(alerts[0])} />`}
    <${Problem} problem=${problem} />
    ${open && html`<${Members} alerts=${alerts} name=${name} deeds=${deeds} />`}
  </li>`;
}

function Members({ alerts, name, deeds }) {
  const [{ rule, queueId }] = alerts;
  const more = alerts.length - MOST_OPENED;
  const show = () => deeds.query.set({ alert: [rule], queue: queueId ? [queueId] : [] });
  return html`<div class="alert-members">
    <ul>
      ${alerts
        .slice(0, MOST_OPENED)
        .map(
          (each) =>
            html`<${Alert} key=${each.alertId} alert=${each} name=${name} deeds=${deeds} />`,
        )}
    </ul>
    <p class="alert-more">
      ${more > 0 && `and ${more.toLocaleString("en")} more `}
      <button class="quiet" onClick=${show}>Show in the table</button>
    </p>
  </div>`;
}

function Deeds({ alerts, name, busy, deeds, onTake, of }) {
  if (!deeds.may) return null;
  const seen = alerts.every((alert) => alert.acknowledged);
  return html`<span class="alert-deeds">
    ${
      name !== "silenced" &&
      html`<button
      class="icon-button"
      aria-label=${`Silence ${of}`}
      title="Silence: no receiver is told"
      disabled=${!deeds.can}
      onClick=${() => deeds.onSilence(alerts)}
    >
      <${Icon} name="silent" />
    </button>`
    }
    ${
      !seen &&
      html`<button class="alert-take" disabled=${busy || !deeds.can} onClick=${onTake}>
      Acknowledge${alerts.length > 1 && " all"}<span class="unseen"> ${of}</span>
    </button>`
    }
  </span>`;
}

const Silenced = ({ silence }) =>
  silence &&
  html`<p class="alert-rests soft">
    silenced until ${atMinute(silence.until, clock.now())} by ${silence.by}${silence.comment && `: ${silence.comment}`}
  </p>`;

const Problem = ({ problem }) =>
  problem && html`<p class="alert-problem" role="alert">Not acknowledged: ${problem}</p>`;

function whereOf(alert, queueName) {
  if (alert.source) return `source ${alert.source}`;
  return html`${alert.queueId && `${queueName(alert.queueId)} · `}<span class="id"
      >${short(alert.callbackId)}</span
    >`;
}

function proofsOf(alerts) {
  const told = alerts.filter((alert) => alert.proof);
  const confirmed = told.filter((alert) => alert.proof.confirmed).length;
  return told.length > 0 && `${confirmed} of ${told.length} confirmed`;
}
