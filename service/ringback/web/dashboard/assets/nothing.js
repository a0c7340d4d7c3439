// What stands where there is nothing (yet) to show.
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { Ticking } from "./ticking.js";

export function Loading({ link }) {
  const part = link.total ? Math.round((100 * link.loaded) / link.total) : 0;
  if (link.problem) {
    const next = () => {
      const left = (link.retryAt ?? 0) - performance.now();
      return left > 500 ? `Next try in ${Math.ceil(left / 1000)} s.` : "Trying now…";
    };
    return html`<main class="first-words" role="alert">
      <${Icon} name="alert" size=${40} />
      <p><b>Nothing could be read yet.</b></p>
      <p>${link.problem} <${Ticking} text=${next} /></p>
      <button class="quiet" onClick=${() => link.retryNow()}>Try now</button>
    </main>`;
  }
  return html`<main class="first-words" aria-busy="true">
    <div class="skeleton" aria-hidden="true"><i /><i /><i /><i /><i /></div>
    <p>
      ${part ? `Reading callbacks: ${link.loaded.toLocaleString("en")} of ${link.total.toLocaleString("en")}` : "Reading callbacks…"}
    </p>
  </main>`;
}

export function Empty({ total, query }) {
  if (total === 0) {
    return html`<div class="empty" data-testid="empty">
      <${Icon} name="check" size=${40} />
      <p><b>No callback is open.</b></p>
      <p>The next one appears here by itself.</p>
    </div>`;
  }
  return html`<div class="empty" data-testid="empty">
    <${Icon} name="search" size=${40} />
    <p><b>No callback fits these filters.</b></p>
    <button class="quiet" onClick=${() => query.clear()}>Clear filters</button>
  </div>`;
}
