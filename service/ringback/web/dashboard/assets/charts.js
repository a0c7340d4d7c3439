// The last hours, a minute a step.
import { html, useEffect, useRef } from "./html.js";
import uPlot from "./vendor/uplot.js";
import { colour, onTheme } from "./theme.js";
import { duration } from "./words.js";

const whole = (value) => value.toLocaleString("en");
const TIMES = [10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 18000, 36000, 86400];
const CHARTS = [
  { key: "waiting", label: "Waiting", ink: "waiting", write: whole },
  {
    key: "oldestSeconds",
    label: "Longest wait",
    ink: "held",
    write: (value) => duration(value * 1000),
    steps: TIMES,
  },
  { key: "offers", label: "Offers a minute", ink: "alerting", write: whole, bars: true },
  { key: "missed", label: "Missed auto-dials", ink: "alert", write: whole, bars: true },
];

export function Charts({ trends }) {
  return html`<section class="panel charts" aria-label="The last hours">
    ${CHARTS.map((chart) => html`<${Chart} key=${chart.key} chart=${chart} trends=${trends} />`)}
  </section>`;
}

function Chart({ chart, trends }) {
  const values = trends?.[chart.key];
  const last = values?.at(-1);
  const highest = values?.length ? Math.max(...values.map((value) => value ?? 0)) : null;
  const figures = highest === null ? "no data yet" : `highest ${chart.write(highest)}`;
  return html`<figure
    class="chart"
    aria-label=${`${chart.label}: now ${last ?? "not known"}, ${figures}`}
  >
    <figcaption>
      <span>${chart.label}</span>
      <b>${last === undefined || last === null ? "–" : chart.write(last)}</b>
      <span class="soft">${figures}</span>
    </figcaption>
    ${values?.length ? html`<${Plot} chart=${chart} trends=${trends} />` : html`<div class="chart-empty" />`}
  </figure>`;
}

function Plot({ chart, trends }) {
  const box = useRef(null);
  const plot = useRef(null);
  const data = dataOf(chart, trends);
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    const make = () => {
      plot.current?.destroy();
      const { clientWidth, clientHeight } = box.current;
      plot.current = new uPlot(
        options(chart, clientWidth, clientHeight),
        latest.current,
        box.current,
      );
    };
    make();
    const sized = new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = box.current;
      if (width && height) plot.current.setSize({ width, height });
    });
    sized.observe(box.current);
    const leave = onTheme(make);
    return () => {
      sized.disconnect();
      leave();
      plot.current.destroy();
      plot.current = null;
    };
  }, []);
  useEffect(() => plot.current?.setData(latest.current), [trends]);
  return html`<div class="chart-plot" ref=${box} aria-hidden="true"></div>`;
}

function dataOf(chart, trends) {
  const from = Date.parse(trends.from) / 1000;
  const values = trends[chart.key];
  return [values.map((_, index) => from + index * trends.stepSeconds), values];
}

function options(chart, width, height) {
  const ink = colour(chart.ink);
  const axis = {
    stroke: colour("soft"),
    font: `10px ${getComputedStyle(document.body).fontFamily}`,
    grid: { stroke: colour("line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height,
    padding: [6, 16, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    select: { show: false },
    scales: {
      y: { range: (_, low, high) => [0, Math.max(high, chart.key === "oldestSeconds" ? 60 : 2)] },
    },
    axes: [
      {
        ...axis,
        size: 18,
        space: 60,
        grid: { show: false },
        values: (_, ticks) => ticks.map(clockTime),
      },
      {
        ...axis,
        size: 38,
        space: (_plot, _axis, _low, _high, room) => Math.max(16, room / 4),
        incrs: chart.steps ?? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000],
        values: (_, ticks) =>
          ticks.map((tick) => (Number.isInteger(tick) ? chart.write(tick) : "")),
      },
    ],
    series: [
      {},
      {
        stroke: ink,
        fill: `color-mix(in srgb, ${ink} 18%, transparent)`,
        width: 1.5,
        points: { show: false },
        paths: chart.bars ? uPlot.paths.bars({ size: [0.8, 6] }) : undefined,
      },
    ],
  };
}

function clockTime(seconds) {
  const when = new Date(seconds * 1000);
  return `${String(when.getHours()).padStart(2, "0")}:${String(when.getMinutes()).padStart(2, "0")}`;
}
