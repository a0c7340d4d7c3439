// One callback: where it is, how it came there, and what each fact rests on.
import { html, useEffect, useRef, useState } from "./html.js";
import { Icon } from "./icons.js";
import { Timeline } from "./timeline.js";
import { Age } from "./ticking.js";
import { Failure, get, post } from "./api.js";
import { announce } from "./announcing.js";
import { clock } from "./clock.js";
import { Deadlines, Events, Gaps, Legs, Raised, States } from "./lists.js";
import { atMinute, atSecond, duration, short, stateLabel, worded } from "./words.js";

const EVERY_MS = 1000;

export function Drawer({ id, row, link, queueName, onClose }) {
  const { life, problem } = useLife(id, row, link);
  const heading = useRef(null);
  useEffect(() => heading.current?.focus({ preventScroll: true }), [id]);
  return html`<section
    class="drawer"
    role="dialog"
    aria-modal="false"
    aria-labelledby="drawer-name"
  >
    <header class="drawer-head">
      <h2 id="drawer-name" tabindex="-1" ref=${heading}>
        Callback <span class="id">${short(id)}</span>
      </h2>
      <button class="icon-button" aria-label="Close" onClick=${onClose}>
        <${Icon} name="close" />
      </button>
    </header>
    ${problem && html`<p class="drawer-problem" role="alert">${problem}</p>`}
    ${life ? html`<${Life} life=${life} link=${link} queueName=${queueName} />` : !problem && html`<${Loading} />`}
  </section>`;
}

// Read anew when the callback has moved on, at most once a second.
function useLife(id, row, link) {
  const [found, setFound] = useState({});
  const asked = useRef(0);
  const sequence = row ? row.sequence : "ended";
  useEffect(() => {
    let stopped = false;
    const wait = Math.max(0, asked.current + EVERY_MS - performance.now());
    const timer = setTimeout(
      async () => {
        asked.current = performance.now();
        try {
          const life = await get(`/callbacks/${encodeURIComponent(id)}`);
          if (!stopped) setFound({ id, life });
        } catch (error) {
          if (!stopped)
            setFound((before) => ({ id, life: before.life, problem: explained(error) }));
        }
      },
      found.id === id ? wait : 0,
    );
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [id, sequence, link.phase]);
  return found.id === id ? found : {};
}

const explained = (error) =>
  error instanceof Failure && error.status === 404
    ? "This callback is not known (any more): its record is kept for some time after its end."
    : `Could not be read: ${error.message}`;

const Loading = () =>
  html`<div class="skeleton" aria-label="Loading" role="img"><i /><i /><i /><i /></div>`;

function Life({ life, link, queueName }) {
  const row = life.callback;
  const now = life.ended ? Date.parse(life.ended) : clock.shown();
  return html`<div class="drawer-body" tabindex="0" role="group" aria-label="Details">
    <p class="now-in" data-state=${row.state}>
      ${!life.ended && html`<${Icon} name=${row.state} size=${22} />`}
      <b
        >${life.ended ? `Ended: ${worded(life.outcome) || "outcome not known"}` : stateLabel(row.state)}</b
      >
      ${
        life.ended
          ? html`<span class="soft">at ${atSecond(life.ended)}</span>`
          : html`<span class="soft">for <${Age} since=${row.since} /></span>`
      }
      ${row.unverified &&
      html`<span class="mark" data-kind="doubt">
        <${Icon} name="doubt" size=${13} /> unverified
      </span>`}
    </p>
    <${Ids} row=${row} link=${life.link} />
    <${Timeline} life=${life} now=${now} />
    ${!life.complete && html`<p class="soft note">The journal no longer has the beginning.</p>`}
    <${Facts} life=${life} queueName=${queueName} operator=${link.session.role === "operator"} />
    ${!life.ended && life.deadlines.length > 0 && html`<${Deadlines} deadlines=${life.deadlines} />`}
    <${States} life=${life} />
    ${life.alerts.length > 0 && html`<${Raised} alerts=${life.alerts} />`}
    ${life.legs.length > 0 && html`<${Legs} legs=${life.legs} queueName=${queueName} />`}
    ${life.gaps.length > 0 && html`<${Gaps} gaps=${life.gaps} />`}
    <${Events} events=${life.events} />
  </div>`;
}

function Ids({ row, link }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(row.conversationId);
    setCopied(true);
    announce("Conversation id copied");
    setTimeout(() => setCopied(false), 2000);
  };
  return html`<div class="ids">
    <span class="soft">Conversation</span>
    <code class="whole-id">${row.conversationId}</code>
    <button class="quiet" onClick=${copy}>
      <${Icon} name=${copied ? "check" : "copy"} /> ${copied ? "Copied" : "Copy"}
    </button>
    ${link &&
    html`<a class="quiet" href=${link} target="_blank" rel="noopener noreferrer">
      <${Icon} name="link" /> Open in Genesys Cloud
    </a>`}
  </div>`;
}

function Facts({ life, queueName, operator }) {
  const row = life.callback;
  const [raw, setRaw] = useState(null);
  const reveal = async () => {
    try {
      setRaw((await post(`/callbacks/${encodeURIComponent(row.callbackId)}/reveal`)).contact);
    } catch (error) {
      setRaw([`not revealed: ${error.message}`]);
    }
  };
  const facts = [
    ["Queue", row.queueId && queueName(row.queueId)],
    ["Agent", row.userId && html`<span class="id">${row.userId}</span>`],
    ["Scheduled for", row.scheduledTime && atMinute(row.scheduledTime, clock.now())],
    ["Auto-dial at", row.autoDialAt && atSecond(row.autoDialAt)],
    ["Offers", row.offers ? offersOf(life) : "none"],
    ["Waited", row.waitSeconds ? duration(row.waitSeconds * 1000) : null],
    [
      "On hold",
      life.holds.total
        ? `${duration(life.holds.total * 1000)}, longest ${duration(life.holds.longest * 1000)}`
        : null,
    ],
    [
      "Disconnected",
      life.rawDisconnectType && `${worded(life.disconnectType)} (${life.rawDisconnectType})`,
    ],
    ["First seen", `${atMinute(life.firstSeen, clock.now())}`],
    [
      "Contact",
      row.contact?.length &&
        html`${(raw ?? row.contact).join(", ")}${" "}
        ${operator && !raw && html`<button class="quiet" onClick=${reveal}>Reveal</button>`}`,
    ],
  ];
  return html`<dl class="facts">
    ${facts
      .filter(([, value]) => value)
      .map(
        ([name, value]) =>
          html`<div key=${name}>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
  </dl>`;
}

function offersOf(life) {
  const counted = new Map();
  for (const { result } of life.offers) counted.set(result, (counted.get(result) ?? 0) + 1);
  const parts = [...counted].map(([result, number]) => `${number} ${worded(result).toLowerCase()}`);
  return `${life.callback.offers}${parts.length ? ` (${parts.join(", ")})` : ""}`;
}
