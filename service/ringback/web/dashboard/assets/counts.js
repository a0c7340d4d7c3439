// One number a state, to be read from across a room; each is a filter as well.
import { html } from "./html.js";
import { Icon } from "./icons.js";
import { Age } from "./ticking.js";
import { STATES, stateLabel } from "./words.js";

export function Counts({ view, query }) {
  const chosen = query.now.state;
  return html`<section class="counts" aria-label="Callbacks by state">
    ${Object.keys(STATES).map(
      (state) => html`<${Tile}
        key=${state}
        state=${state}
        number=${view.counts[state]}
        oldest=${view.oldest[state]}
        pressed=${chosen.includes(state)}
        others=${chosen.length > 0}
        onPress=${() => query.toggle("state", state)}
      />`,
    )}
  </section>`;
}

function Tile({ state, number, oldest, pressed, others, onPress }) {
  return html`<button
    class="tile"
    data-state=${state}
    data-empty=${number === 0}
    data-dim=${others && !pressed}
    aria-pressed=${pressed}
    onClick=${onPress}
  >
    <span class="tile-name"><${Icon} name=${state} /> <span>${stateLabel(state)}</span></span>
    <span class="tile-number" data-testid=${`count-${state}`}>${number.toLocaleString("en")}</span>
    <span class="tile-oldest">
      ${oldest ? html`longest <${Age} since=${oldest} />` : html`<span>none</span>`}
    </span>
  </button>`;
}
