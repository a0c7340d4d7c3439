// The live callbacks. Only the rows in sight exist, whether there are ten or ten thousand.
import { Component, html, steady } from "./html.js";
import { COLUMNS } from "./columns.js";
import { severityOf } from "./rules.js";

const ROW = 34;
const SPARE = 8;

export class Table extends Component {
  state = { top: 0, height: 600 };
  #box = null;
  #observer = null;
  #anchor = null;

  componentDidMount() {
    this.#observer = new ResizeObserver(() => this.#measure());
    this.#observer.observe(this.#box);
    this.#measure();
    if (this.props.cursor) this.reveal(this.props.cursor);
  }

  componentWillUnmount() {
    this.#observer.disconnect();
  }

  // What somebody reads stays where it is while rows above it come and go.
  componentDidUpdate(before) {
    if (before.view !== this.props.view && this.#anchor && this.#box.scrollTop > 0) {
      const index = this.props.view.list.findIndex((row) => row.callbackId === this.#anchor.id);
      if (index >= 0 && before.order === this.props.order) {
        this.#box.scrollTop = index * ROW + this.#anchor.within;
      }
    }
    if (before.cursor !== this.props.cursor && this.props.cursor) this.reveal(this.props.cursor);
    this.#remember();
  }

  reveal(id) {
    const index = this.props.view.list.findIndex((row) => row.callbackId === id);
    if (index < 0) return;
    const top = index * ROW;
    const inside = this.#box.clientHeight - ROW;
    if (top < this.#box.scrollTop) this.#box.scrollTop = top;
    else if (top + ROW > this.#box.scrollTop + inside) this.#box.scrollTop = top + ROW - inside;
  }

  #measure() {
    this.setState({ top: this.#box.scrollTop, height: this.#box.clientHeight });
  }

  #remember() {
    const top = this.#box.scrollTop;
    const row = this.props.view.list[Math.floor(top / ROW)];
    this.#anchor = row ? { id: row.callbackId, within: top % ROW } : null;
  }

  #scrolled = () => {
    this.#remember();
    // A few rows are to spare on both sides: not each pixel needs a rendering.
    const moved = Math.abs(this.#box.scrollTop - this.state.top);
    if (moved > (SPARE / 2) * ROW || this.#box.scrollTop === 0) this.#measure();
  };

  render({ view, store, query, cursor, queueName, onOpen }, { top, height }) {
    const first = Math.max(0, Math.floor(top / ROW) - SPARE);
    const last = Math.min(view.list.length, Math.ceil((top + height) / ROW) + SPARE);
    const seen = view.list.slice(first, last);
    const active = seen.some((row) => row.callbackId === cursor) ? `row-${cursor}` : undefined;
    return html`<div
      class="table"
      role="grid"
      id="callbacks"
      tabindex="0"
      aria-label="Live callbacks"
      aria-rowcount=${view.list.length + 1}
      aria-colcount=${COLUMNS.length}
      aria-activedescendant=${active}
      ref=${(box) => (this.#box = box)}
      onScroll=${this.#scrolled}
    >
      <${Head} sort=${query.now.sort} onSort=${this.#sort} />
      <div class="table-body" role="rowgroup" style=${{ height: `${view.list.length * ROW}px` }}>
        ${seen.map(
          (row, index) => html`<${Row}
            key=${row.callbackId}
            row=${row}
            index=${first + index}
            alerts=${store.alertsOf(row.callbackId)}
            marks=${marksOf(store, row)}
            selected=${row.callbackId === cursor}
            queueName=${queueName}
            onOpen=${onOpen}
          />`,
        )}
      </div>
    </div>`;
  }

  #sort = (key) => this.props.query.sortBy(key);
}

const Head = steady(
  ({ sort, onSort }) => html`<div class="table-head" role="rowgroup">
    <div class="row" role="row" aria-rowindex="1">
      ${COLUMNS.map(
        (column, index) => html`<div
          key=${column.key}
          role="columnheader"
          aria-colindex=${index + 1}
          class="cell"
          data-column=${column.key}
          data-number=${column.number}
          title=${column.title}
          aria-sort=${order(column, sort)}
        >
          ${
            column.sort
              ? html`<button onClick=${() => onSort(column.sort)}>
                ${column.label}<span class="arrow" aria-hidden="true">${arrow(column, sort)}</span>
              </button>`
              : column.label
          }
        </div>`,
      )}
    </div>
  </div>`,
);

// `marks` stands for the alerts, whose list is another one every time.
class Row extends Component {
  shouldComponentUpdate(next) {
    return ["row", "index", "marks", "selected", "queueName"].some(
      (key) => next[key] !== this.props[key],
    );
  }

  render({ row, index, alerts, selected, queueName, onOpen }) {
    return html`<div
      class="row"
      role="row"
      id=${`row-${row.callbackId}`}
      aria-rowindex=${index + 2}
      aria-selected=${selected}
      data-even=${index % 2 === 0}
      data-unverified=${row.unverified || undefined}
      data-severity=${worstOf(alerts)}
      style=${{ transform: `translateY(${index * ROW}px)` }}
      onClick=${() => onOpen(row.callbackId)}
    >
      ${COLUMNS.map(
        (column, index) => html`<div
          key=${column.key}
          role="gridcell"
          aria-colindex=${index + 1}
          class="cell"
          data-column=${column.key}
          data-number=${column.number}
        >
          ${column.draw({ row, alerts, queueName })}
        </div>`,
      )}
    </div>`;
  }
}

function worstOf(alerts) {
  const worst = alerts.find((alert) => !alert.acknowledged);
  return worst && severityOf(worst);
}

function marksOf(store, row) {
  return store
    .alertsOf(row.callbackId)
    .map((alert) => alert.alertId + (alert.acknowledged ? "+" : "-"))
    .join();
}

const order = (column, sort) =>
  sort === column.sort ? "ascending" : sort === `-${column.sort}` ? "descending" : undefined;

const arrow = (column, sort) =>
  ({ ascending: "↑", descending: "↓" })[column.sort && order(column, sort)] ?? "";
