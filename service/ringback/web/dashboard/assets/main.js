// Joins the parts into the page.
import { Component, html, render } from "./html.js";
import { Alerting } from "./alerting.js";
import { Alerts } from "./alerts.js";
import { Around } from "./around.js";
import { Bar } from "./bar.js";
import { Charts } from "./charts.js";
import { Counts } from "./counts.js";
import { Drawer } from "./drawer.js";
import { Filters } from "./filters.js";
import { Help } from "./help.js";
import { Link } from "./link.js";
import { Query } from "./query.js";
import { Store } from "./store.js";
import { Table } from "./table.js";
import { Wall } from "./wall.js";
import { Warnings } from "./freshness.js";
import { announce, announceIn } from "./announcing.js";
import { listenToKeys } from "./keys.js";
import { SEVERITIES, ruleLabel, severityOf } from "./rules.js";
import { short } from "./words.js";
import { stuckOf } from "./stuck.js";
import { startTheme, switchTheme } from "./theme.js";
import { viewOf } from "./view.js";
import { Empty, Loading } from "./nothing.js";

const PAGE_ROWS = 15;

class Page extends Component {
  state = { cursor: null, help: false };
  #store = new Store();
  #query = new Query();
  #link = new Link(this.#store);
  #around = new Around(this.#link, this.#store);
  #view = null;
  #viewed = null;
  #announced = null;

  componentDidMount() {
    this.#store.onChange(() => this.#changed());
    this.#query.onChange(() => this.setState({}));
    this.#link.onChange(() => {
      this.#entitle();
      this.setState({});
    });
    this.#around.onChange(() => this.setState({}));
    listenToKeys((action) => this.#act(action));
    this.setState({ cursor: this.#query.now.open });
    this.#link.start();
  }

  #changed() {
    this.#announceNew();
    this.#entitle();
    this.setState({});
  }

  // A tab in the background says whether it is worth a look.
  #entitle() {
    const firing = this.#current().stuck.unseen;
    const lost = this.#link.phase === "lost";
    document.title = `${lost ? "Not connected: " : firing ? `(${firing}) ` : ""}Ringback`;
  }

  // Filtering and sorting ten thousand rows is done when something has changed, not at each rendering.
  #current() {
    const seen = [this.#store.version, this.#query.now, this.#link.session];
    if (!this.#viewed || seen.some((each, index) => each !== this.#viewed[index])) {
      this.#viewed = seen;
      this.#view = {
        ...viewOf(this.#store, this.#query.now, this.queueName),
        stuck: stuckOf(this.#store),
      };
    }
    return this.#view;
  }

  #announceNew() {
    const known = this.#announced;
    this.#announced = new Set(this.#store.alerts.keys());
    if (known === null) return;
    for (const [id, alert] of this.#store.alerts) {
      if (!known.has(id)) announce(`${SEVERITIES[severityOf(alert)]}: ${ruleLabel(alert.rule)}`);
    }
  }

  queueName = (id) => this.#link.session.queues?.[id] ?? short(id);

  open = (id) => {
    this.setState({ cursor: id });
    this.#query.set({ open: id }, { step: true });
  };

  close = () => {
    this.#query.set({ open: null });
    document.getElementById("callbacks")?.focus({ preventScroll: true });
  };

  #act({ move, page, open, leave, search, help, view, theme }) {
    const query = this.#query;
    if (move || page) this.#move(move ?? page * PAGE_ROWS);
    else if (open && this.state.cursor) this.open(this.state.cursor);
    else if (leave && query.now.open) this.close();
    else if (leave && query.now.view !== "list") query.set({ view: "list" });
    else if (search) document.getElementById("search")?.focus();
    else if (help) this.setState({ help: true });
    else if (view) query.look(view);
    else if (theme) switchTheme();
  }

  #move(step) {
    const { list } = this.#current();
    if (!list.length) return;
    const at = list.findIndex((row) => row.callbackId === this.state.cursor);
    const next = at < 0 ? (step > 0 && step !== Infinity ? 0 : list.length - 1) : at + step;
    const cursor = list[Math.min(list.length - 1, Math.max(0, next))].callbackId;
    this.setState({ cursor });
    // The drawer follows, so that one callback after another can be looked at.
    if (this.#query.now.open) this.#query.set({ open: cursor });
    else document.getElementById("callbacks")?.focus({ preventScroll: true });
  }

  render(_, { cursor, help }) {
    const [link, store, query] = [this.#link, this.#store, this.#query];
    const view = this.#current();
    const stale = link.phase === "lost" || link.phase === "behind";
    return html`<div
      class="page"
      data-view=${query.now.view}
      data-phase=${link.phase}
      data-stale=${stale}
    >
      <${Bar}
        link=${link}
        store=${store}
        query=${query}
        onHelp=${() => this.setState({ help: true })}
      />
      <${Warnings}
        link=${link}
        sources=${store.sources}
        unverified=${view.unverified}
        receivers=${this.#around.receivers}
        query=${query}
      />
      ${
        link.phase === "loading"
          ? html`<${Loading} link=${link} />`
          : this.#shown(view, cursor)
      }
      ${help && html`<${Help} onClose=${() => this.setState({ help: false })} />`}
      <p class="unseen" role="status" aria-live="polite" ref=${announceIn}></p>
    </div>`;
  }

  #shown(view, cursor) {
    const [link, store] = [this.#link, this.#store];
    const named = { link, queueName: this.queueName };
    if (this.#query.now.view === "wall") return html`<${Wall} view=${view} ...${named} />`;
    if (this.#query.now.view === "list") return this.#list(view, cursor);
    return html`<${Alerting} around=${this.#around} store=${store} ...${named} />`;
  }

  #list(view, cursor) {
    const [link, store, query] = [this.#link, this.#store, this.#query];
    const { open, sort } = query.now;
    return html`<main class="list">
      <${Counts} view=${view} query=${query} />
      <div class="work">
        <${Filters} view=${view} query=${query} queueName=${this.queueName} />
        <${Table}
          view=${view}
          order=${sort}
          store=${store}
          query=${query}
          cursor=${cursor}
          queueName=${this.queueName}
          onOpen=${this.open}
        />
        ${view.list.length === 0 && html`<${Empty} total=${view.total} query=${query} />`}
      </div>
      <div class="side">
        <${Alerts}
          stuck=${view.stuck}
          store=${store}
          link=${link}
          query=${query}
          queueName=${this.queueName}
          onOpen=${this.open}
          onSilence=${() => this.#around.read()}
        />
        <${Charts} trends=${link.trends} />
      </div>
      ${open && html`<${Drawer} id=${open} row=${store.rows.get(open)} link=${link} queueName=${this.queueName} onClose=${this.close} />`}
    </main>`;
  }
}

startTheme();
const place = document.getElementById("app");
place.replaceChildren();
render(html`<${Page} />`, place);
