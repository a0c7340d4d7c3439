// The bar on top: whose centre this is, how fresh it is, and how it is looked at.
import { html, useEffect, useReducer } from "./html.js";
import { Freshness } from "./freshness.js";
import { Icon } from "./icons.js";
import { Ticking } from "./ticking.js";
import { onTheme, switchTheme, theme } from "./theme.js";
import { atSecond } from "./words.js";

export function Bar({ link, store, query, onHelp }) {
  const service = link.summary?.scheduled;
  return html`<header class="bar">
    <img class="logo" src="/assets/icon.svg" alt="" width="26" height="26" />
    <h1>Ringback</h1>
    ${link.session.org && html`<span class="org">${link.session.org}</span>`}
    <${Freshness} link=${link} sources=${store.sources} />
    <span class="bar-space"></span>
    ${
      service?.serviceLevel !== undefined &&
      html`<span
        class="service"
        title=${`Of the scheduled callbacks of the last ${service.hours} h, those released no later than 2 minutes after their time`}
      >
        On time <b>${Math.round(service.serviceLevel * 100)} %</b>
        ${service.late > 0 && html` · <b>${service.late}</b> late`}
      </span>`
    }
    <${Ticking} class="clock" text=${(now) => atSecond(now)} title="The server's clock" />
    <button
      class="icon-button"
      aria-label="Rules, silences and receivers"
      aria-pressed=${query.now.view === "alerting"}
      title="Rules, silences and receivers (a)"
      onClick=${() => query.look("alerting")}
    >
      <${Icon} name="bell" />
    </button>
    <button
      class="icon-button"
      aria-label="Wallboard"
      aria-pressed=${query.now.view === "wall"}
      title="Wallboard (w)"
      onClick=${() => query.look("wall")}
    >
      <${Icon} name="wall" />
    </button>
    <${ThemeSwitch} />
    ${
      link.session.loggedIn &&
      html`<form method="post" action="/logout" onSubmit=${() => link.leave()}>
        <button class="icon-button" aria-label="Log out" title=${`Log out (${link.session.name})`}>
          <${Icon} name="exit" />
        </button>
      </form>`
    }
    <button class="icon-button" aria-label="Keyboard help" title="Keyboard (?)" onClick=${onHelp}>
      <${Icon} name="help" />
    </button>
  </header>`;
}

function ThemeSwitch() {
  const [, again] = useReducer((number) => number + 1, 0);
  useEffect(() => onTheme(again), []);
  const other = theme() === "dark" ? "light" : "dark";
  return html`<button
    class="icon-button"
    aria-label=${`Switch to ${other}`}
    title=${`Switch to ${other}`}
    onClick=${switchTheme}
  >
    <${Icon} name=${other === "dark" ? "moon" : "sun"} />
  </button>`;
}
