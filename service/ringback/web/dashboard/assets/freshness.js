// Says how fresh the page is: in the bar at all times, and across the page when it is not.
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { Ticking } from "./ticking.js";
import { clock } from "./clock.js";
import { atSecond, count, spoken } from "./words.js";

export function Freshness({ link, sources }) {
  const { kind, words } = summary(link, sources);
  return html`<div class="freshness" data-kind=${kind} data-testid="freshness">
    <span class="freshness-light" aria-hidden="true"></span>
    <span>${words}</span>
  </div>`;
}

// What has to be known before anything on the page is believed.
export function Warnings({ link, sources, unverified, receivers, query }) {
  const blind = sources.filter((source) => !source.hears);
  const failing = receivers.filter((each) => each.failingSince || each.deadLetters.length);
  return html`<div class="warnings" role="status">
    ${link.phase === "lost" && html`<${Lost} link=${link} />`}
    ${
      link.phase === "behind" &&
      html`<p class="warning" data-kind="behind">
      <${Icon} name="alert" />
      <span><b>Catching up.</b> What is shown is ${spoken(link.behindMs)} behind.</span>
    </p>`
    }
    ${link.phase !== "lost" && blind.map((source) => html`<${Blind} key=${source.name} source=${source} />`)}
    ${
      unverified > 0 &&
      html`<p class="warning" data-kind="doubt">
      <${Icon} name="doubt" />
      <span><b>${count(unverified, "callback is", "callbacks are")} unverified:</b> something may
        have been missed about ${unverified === 1 ? "it" : "them"}, and nothing has confirmed
        ${unverified === 1 ? " it" : " them"} since.</span>
      ${
        !query.now.unverified &&
        html`<button class="quiet" onClick=${() => query.set({ unverified: true })}>Show only these</button>`
      }
    </p>`
    }
    ${failing.map((each) => html`<${Failing} key=${each.name} receiver=${each} query=${query} />`)}
  </div>`;
}

function Lost({ link }) {
  const now = () => spoken(clock.now() - link.asOf);
  const next = () => {
    const left = (link.retryAt ?? 0) - performance.now();
    return left > 500 ? `Next try in ${Math.ceil(left / 1000)} s.` : "Trying now…";
  };
  return html`<p class="warning" data-kind="lost" data-testid="lost">
    <${Icon} name="alert" />
    <span>
      <b>Not connected.</b> ${link.problem ?? "The daemon does not answer."} What is shown is of
      ${" "}<b>${atSecond(link.asOf)}</b>, <${Ticking} text=${now} /> ago. ${" "}
      <${Ticking} text=${next} />
    </span>
    <button class="quiet" onClick=${() => link.retryNow()}>Try now</button>
  </p>`;
}

// Somebody is not told of what should be told.
function Failing({ receiver, query }) {
  const { name, failingSince, problem, untold, deadLetters } = receiver;
  const long = (now) => spoken(now - Date.parse(failingSince));
  return html`<p class="warning" data-kind="receiver" data-testid="receiver">
    <${Icon} name="bell" />
    <span>
      <b>Receiver ${name}</b>${" "}
      ${failingSince && html`takes nothing since <b>${atSecond(failingSince)}</b>, for <${Ticking} text=${long} /> (${problem}); ${count(untold, "alert")} to be told. `}
      ${deadLetters.length > 0 && `${count(deadLetters.length, "message")} to it ${deadLetters.length === 1 ? "was" : "were"} given up.`}
    </span>
    ${
      query.now.view !== "alerting" &&
      html`<button class="quiet" onClick=${() => query.look("alerting")}>Show</button>`
    }
  </p>`;
}

function Blind({ source }) {
  const since = source.blindSince;
  const long = (now) => spoken(now - Date.parse(since));
  return html`<p class="warning" data-kind="blind" data-testid="blind">
    <${Icon} name="eye" />
    <span>
      <b>Source ${source.name} hears nothing</b>${" "}
      ${since ? html`since <b>${atSecond(since)}</b>, for <${Ticking} text=${long} />.` : "yet."}
      ${" "}Callbacks may have moved on since; they are marked once that is certain.
    </span>
  </p>`;
}

function summary(link, sources) {
  if (link.phase === "loading") return { kind: "loading", words: "Connecting…" };
  if (link.phase === "lost") return { kind: "lost", words: `Stopped at ${atSecond(link.asOf)}` };
  if (link.phase === "behind") {
    return { kind: "behind", words: `${spoken(link.behindMs)} behind` };
  }
  const blind = sources.find((source) => !source.hears);
  if (blind) {
    const since = blind.blindSince ? ` since ${atSecond(blind.blindSince)}` : "";
    return { kind: "blind", words: `Blind${since}` };
  }
  return { kind: "live", words: "Live" };
}
