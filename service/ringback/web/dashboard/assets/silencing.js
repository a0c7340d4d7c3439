// A dialog of the browser's own: nobody is told of some alerts for a while.
import { html, useEffect, useRef, useState } from "./html.js";
import { post } from "./api.js";
import { announce } from "./announcing.js";
import { clock } from "./clock.js";
import { ruleLabel } from "./rules.js";
import { atMinute, short } from "./words.js";

const HOUR_MS = 3600_000;
const MORNING = 8;

// `alerts` are one, or many of one rule and queue.
export function Silencing({ alerts, queueName, onDone, onClose }) {
  const dialog = useRef(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => dialog.current.showModal(), []);
  const scopes = scopesOf(alerts, queueName);
  const ends = endsFrom(clock.now());
  const send = async (event) => {
    event.preventDefault();
    const given = new FormData(event.target);
    const until = ends[given.get("until")].at;
    try {
      await post("/silences", {
        matchers: scopes[given.get("scope")].matchers,
        until: new Date(until).toISOString(),
        comment: given.get("comment").trim(),
      });
    } catch (error) {
      setProblem(error.message);
      return;
    }
    announce(`Silenced until ${atMinute(until, clock.now())}`);
    onDone();
    dialog.current?.close();
  };
  return html`<dialog class="help silencing" ref=${dialog} aria-labelledby="silencing-name" onClose=${onClose}>
    <form onSubmit=${send}>
      <h2 id="silencing-name">Silence</h2>
      <p class="soft">No receiver is told. It fires and is shown all the same.</p>
      <${Choices} name="scope" legend="What" options=${scopes.map((each) => each.label)} />
      <${Choices}
        name="until"
        legend="How long"
        options=${ends.map((each) => `${each.label} ${atMinute(each.at, clock.now())}`)}
      />
      <label class="field">
        Why
        <input name="comment" type="text" maxlength="500" autocomplete="off" placeholder="for those who ask" />
      </label>
      ${problem && html`<p class="alert-problem" role="alert">Not silenced: ${problem}</p>`}
      <p class="buttons">
        <button type="button" class="quiet" onClick=${() => dialog.current.close()}>Cancel</button>
        <button class="alert-take">Silence</button>
      </p>
    </form>
  </dialog>`;
}

const Choices = ({ name, legend, options }) =>
  html`<fieldset>
    <legend>${legend}</legend>
    ${options.map(
      (label, index) =>
        html`<label key=${index} class="check">
          <input type="radio" name=${name} value=${index} defaultChecked=${index === 0} /> ${label}
        </label>`,
    )}
  </fieldset>`;

function scopesOf([alert, ...others], queueName) {
  const name = ruleLabel(alert.rule);
  const rule = { field: "rule", value: alert.rule };
  const scopes = [];
  if (alert.source) {
    const matchers = [rule, { field: "source", value: alert.source }];
    scopes.push({ label: `${name}, of source ${alert.source}`, matchers });
  } else if (!others.length) {
    const matchers = [rule, { field: "callback", value: alert.callbackId }];
    scopes.push({ label: `${name}, of callback ${short(alert.callbackId)}`, matchers });
  }
  if (alert.queueId) {
    const matchers = [rule, { field: "queue", value: alert.queueId }];
    scopes.push({ label: `${name}, in ${queueName(alert.queueId)}`, matchers });
  }
  return [...scopes, { label: `${name}, everywhere`, matchers: [rule] }];
}

function endsFrom(now) {
  const morning = new Date(now);
  morning.setDate(morning.getDate() + 1);
  morning.setHours(MORNING, 0, 0, 0);
  return [
    { label: "1 hour, until", at: now + HOUR_MS },
    { label: "4 hours, until", at: now + 4 * HOUR_MS },
    { label: "Until tomorrow,", at: morning.getTime() },
  ];
}
