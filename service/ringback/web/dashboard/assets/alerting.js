// Who is told of alerts and who is not, and the rules that raise them: the view behind the bell.
import { html, useEffect, useState } from "./html.js";
import { Icon } from "./icons.js";
import { Age, Countdown } from "./ticking.js";
import { del } from "./api.js";
import { announce } from "./announcing.js";
import { clock } from "./clock.js";
import { Rules } from "./ruling.js";
import { ruleLabel } from "./rules.js";
import { matchersWords } from "./silences.js";
import { atMinute, atSecond, count, worded } from "./words.js";

export function Alerting({ around, store, link, queueName }) {
  useEffect(() => around.wantRules(), []);
  const may = link.session.role === "operator" && link.phase !== "lost";
  return html`<main class="alerting">
    <${Rules} around=${around} queueName=${queueName} />
    <div class="alerting-side">
      <${Silences} store=${store} around=${around} may=${may} queueName=${queueName} />
      <${Receivers} around=${around} may=${may} />
      <${Sources} sources=${store.sources} />
    </div>
  </main>`;
}

function Panel({ name, number, children }) {
  const id = `panel-${name.toLowerCase().replaceAll(" ", "-")}`;
  return html`<section class="panel" aria-labelledby=${id}>
    <h2 id=${id}>
      ${name} ${number !== undefined && html`<span class="badge">${number}</span>`}
    </h2>
    ${children}
  </section>`;
}

// Takes something away at the daemon; what cannot be is said.
function Taking({ path, label, of, done, around }) {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const take = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await del(path);
      announce(done);
      await around.read();
    } catch (error) {
      setProblem(error.message);
    }
    setBusy(false);
  };
  return html`<button class="quiet" disabled=${busy} onClick=${take}>
      ${label}<span class="unseen"> ${of}</span>
    </button>
    ${problem && html`<p class="alert-problem" role="alert">${problem}</p>`}`;
}

function Silences({ store, around, may, queueName }) {
  const all = store.silences;
  return html`<${Panel} name="Silences" number=${all.length}>
    ${
      all.length === 0
        ? html`<p class="empty-note">Nothing is silenced: receivers are told of every alert.</p>`
        : html`<ul class="entries">
          ${all.map((each) => {
            const what = matchersWords(each.matchers, queueName);
            return html`<li key=${each.id} class="entry">
              <p class="entry-name"><${Icon} name="silent" /> ${what}</p>
              <p class="soft">
                until ${atMinute(each.until, clock.now())}, <${Countdown} until=${each.until} late="over" />
                ${" "}· by ${each.by} · ${count(each.alerts, "alert")} now
              </p>
              ${each.comment && html`<p>“${each.comment}”</p>`}
              ${
                may &&
                html`<p class="entry-deed">
                <${Taking}
                  path=${`/silences/${encodeURIComponent(each.id)}`}
                  label="End it"
                  of=${what}
                  done="The silence has ended"
                  around=${around}
                />
              </p>`
              }
            </li>`;
          })}
        </ul>`
    }
  <//>`;
}

function Receivers({ around, may }) {
  return html`<${Panel} name="Receivers" number=${around.receivers.length}>
    ${
      around.receivers.length === 0
        ? html`<p class="empty-note">
          No receiver is set: alerts are shown here, and nobody is told of them elsewhere.
        </p>`
        : html`<ul class="entries">
          ${around.receivers.map((each) => html`<${Receiver} key=${each.name} receiver=${each} around=${around} may=${may} />`)}
        </ul>`
    }
  <//>`;
}

function Receiver({ receiver, around, may }) {
  const { name, kind, failingSince, problem, deadLetters } = receiver;
  const failures = Object.values(receiver.failures).reduce((sum, each) => sum + each, 0);
  return html`<li class="entry" data-severity=${failingSince ? "critical" : "none"}>
    <p class="entry-name">
      <${Icon} name=${failingSince ? "critical" : "check"} /> ${name} <span class="soft">${worded(kind)}</span>
    </p>
    ${
      failingSince
        ? html`<p class="entry-trouble">
          Takes nothing since ${atSecond(failingSince)}, for <${Age} since=${failingSince} />: ${problem}
        </p>`
        : html`<p class="soft">Takes what it is told.</p>`
    }
    <p class="soft">
      ${count(receiver.sent, "message")} taken · ${count(failures, "attempt")} failed ·
      ${" "}${count(receiver.untold, "alert")} to be told · ${receiver.heldBack} held back by silences
    </p>
    ${
      deadLetters.length > 0 &&
      html`<details class="listed" open>
      <summary><h3>${count(deadLetters.length, "message")} given up</h3></summary>
      <ul class="entries">
        ${deadLetters.toReversed().map((each) => html`<${Dead} key=${each.number} letter=${each} name=${name} around=${around} may=${may} />`)}
      </ul>
    </details>`
    }
  </li>`;
}

function Dead({ letter, name, around, may }) {
  const { number, alerts, alertCount } = letter;
  const path = `/receivers/${encodeURIComponent(name)}/dead/${number}`;
  return html`<li class="entry">
    <p>
      ${atMinute(letter.givenUp, clock.now())}, after ${count(letter.tries, "attempt")}: ${letter.why}
    </p>
    <p class="soft">
      ${count(alertCount, "alert")}: ${alerts.slice(0, 3).map(alertWords).join("; ")}${alertCount > 3 && ` and ${alertCount - 3} more`}
    </p>
    ${
      may &&
      html`<p class="entry-deed">
      <${Taking} path=${path} label="Let it go" of=${`message ${number} to ${name}`} done="Let go" around=${around} />
    </p>`
    }
  </li>`;
}

// `<subject>/<rule>/<episode>`
function alertWords({ alertId, status }) {
  const [, rule] = alertId.split("/").reverse();
  return `${ruleLabel(rule)} of ${alertId.slice(0, 8)} ${status}`;
}

function Sources({ sources }) {
  return html`<${Panel} name="Sources" number=${sources.length}>
    <ul class="entries">
      ${sources.map(
        (each) => html`<li
          key=${each.name}
          class="entry"
          data-severity=${each.hears ? "none" : "critical"}
        >
          <p class="entry-name">
            <${Icon} name=${each.hears ? "check" : "critical"} /> ${each.name} <span class="soft">${each.kind}</span>
          </p>
          <p class=${each.hears ? "soft" : "entry-trouble"}>
            ${each.hears ? "Hears all that it is to hear." : `Hears nothing${each.blindSince ? ` since ${atSecond(each.blindSince)}` : ""}.`}
            ${each.lastFrame && html` Last frame <${Age} since=${each.lastFrame} /> ago.`}
          </p>
          ${(each.problems ?? []).map((problem) => html`<p class="entry-trouble">${problem}</p>`)}
        </li>`,
      )}
    </ul>
  <//>`;
}
