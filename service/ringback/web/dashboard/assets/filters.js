// Queue, agent, alert and text: what is chosen is in the address.
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { ruleLabel } from "./rules.js";
import { count, short } from "./words.js";

export function Filters({ view, query, queueName }) {
  const now = query.now;
  const queues = named([...new Set([...view.queues, ...now.queue])], queueName);
  const agents = named([...new Set([...view.agents, ...now.agent])], short);
  const rules = [
    ["any", "With any alert"],
    ...named(
      [...new Set([...view.stuck.rules, ...now.alert])].filter((rule) => rule !== "any"),
      ruleLabel,
    ),
  ];
  const shown = view.list.length;
  return html`<form
    class="filters"
    role="search"
    aria-label="Filter callbacks"
    onSubmit=${(event) => event.preventDefault()}
  >
    <label class="search">
      <${Icon} name="search" /><span class="unseen">Search</span>
      <input
        id="search"
        type="search"
        placeholder="Id, queue, agent…"
        autocomplete="off"
        spellcheck="false"
        value=${now.q}
        onInput=${(event) => query.set({ q: event.target.value })}
      />
      <kbd aria-hidden="true">/</kbd>
    </label>
    <${Choice}
      label="Queue"
      all="All queues"
      options=${queues}
      chosen=${now.queue}
      onChoose=${(queue) => query.set({ queue })}
    />
    <${Choice}
      label="Agent"
      all="All agents"
      options=${agents}
      chosen=${now.agent}
      onChoose=${(agent) => query.set({ agent })}
    />
    <${Choice}
      label="Alerts"
      all="All, alert or not"
      options=${rules}
      chosen=${now.alert}
      onChoose=${(alert) => query.set({ alert })}
    />
    <label class="check">
      <input
        type="checkbox"
        checked=${now.unverified}
        onChange=${(event) => query.set({ unverified: event.target.checked })}
      />
      Unverified
    </label>
    ${query.filtered &&
    html`<button type="button" class="quiet" onClick=${() => query.clear()}>
      <${Icon} name="close" size=${12} /> Clear filters
    </button>`}
    <output class="shown" data-testid="shown">
      ${shown < view.total && `${shown.toLocaleString("en")} of `}
      ${count(view.total, "callback")}
    </output>
  </form>`;
}

// One of many, or none. An address may name several; choosing here leaves one.
function Choice({ label, all, options, chosen, onChoose }) {
  return html`<label class="choice">
    <span class="unseen">${label}</span>
    <select
      data-chosen=${chosen.length > 0}
      value=${chosen.length > 1 ? "several" : (chosen[0] ?? "")}
      onChange=${(event) => event.target.value !== "several" && onChoose(event.target.value ? [event.target.value] : [])}
    >
      <option value="">${all}</option>
      ${chosen.length > 1 && html`<option value="several">${chosen.length} chosen</option>`}
      ${options.map(([value, name]) => html`<option key=${value} value=${value}>${name}</option>`)}
    </select>
  </label>`;
}

const named = (ids, name) =>
  ids.map((id) => [id, name(id)]).sort((one, other) => one[1].localeCompare(other[1]));
