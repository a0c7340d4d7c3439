// The last hours, a minute a step. However little is known, the axis is the same hours up to now.
import { html, useEffect, useRef } from "./html.js";
import uPlot from "./vendor/uplot.js";
import { colour, onTheme } from "./theme.js";
import { duration } from "./words.js";

export const HOURS = 4;

const whole = (value) => value.toLocaleString("en");
// Where an axis may end: a number whose half is as plain.
const NUMBERS = [1, 10, 100, 1000, 10_000].flatMap((ten) => [2, 4, 6, 8, 10].map((two) => two * ten));
const TIMES = [60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 28_800, 86_400, 604_800];
const CHARTS = [
  { key: "waiting", label: "Waiting", ink: "waiting", write: whole },
  {
    key: "oldestSeconds",
    label: "Longest wait",
    ink: "held",
    write: (value) => duration(value * 1000),
    ends: TIMES,
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
  const latest = useRef(null);
  latest.current = dataOf(chart, trends);
  useEffect(() => {
    const make = () => {
      const { clientWidth: width, clientHeight: height } = box.current;
      if (!width || !height) return;
      plot.current?.destroy();
      plot.current = new uPlot(options(chart, width, height), latest.current, box.current);
    };
    const sized = new ResizeObserver(make);
    sized.observe(box.current);
    const leave = onTheme(make);
    return () => {
      sized.disconnect();
      leave();
      plot.current?.destroy();
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
  // Legible from where the screen is meant to be looked at.
  const size = Math.min(24, Math.max(10, Math.round(width / 36)));
  const ends = chart.ends ?? NUMBERS;
  const axis = {
    stroke: colour("soft"),
    font: `${size}px ${getComputedStyle(document.body).fontFamily}`,
    grid: { stroke: colour("line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height,
    padding: [size * 0.7, size * 1.6, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    select: { show: false },
    scales: {
      x: { range: (plot) => [plot.data[0].at(-1) - HOURS * 3600, plot.data[0].at(-1)] },
      y: { range: (_, __, high) => [0, ends.find((end) => end >= high) ?? high] },
    },
    axes: [
      {
        ...axis,
        size: size * 1.8,
        space: size * 5,
        grid: { show: false },
        values: (_, ticks) => ticks.map(clockTime),
      },
      {
        ...axis,
        size: size * 3.8,
        splits: (_, __, ___, end) => (height > size * 8 ? [0, end / 2, end] : [0, end]),
        values: (_, ticks) => ticks.map(chart.write),
      },
    ],
    series: [
      {},
      {
        stroke: ink,
        fill: `color-mix(in srgb, ${ink} 18%, transparent)`,
        width: 1.5,
        points: { size: 4, fill: ink, filter: alone },
        paths: chart.bars ? uPlot.paths.bars({ size: [0.8, 6] }) : undefined,
      },
    ],
  };
}

// A line needs two points; one minute alone is a dot.
function alone(plot, series) {
  const values = plot.data[series];
  const known = (index) => values[index] !== null && values[index] !== undefined;
  const dots = values.map((_, index) => index);
  return dots.filter((index) => known(index) && !known(index - 1) && !known(index + 1));
}

function clockTime(seconds) {
  const when = new Date(seconds * 1000);
  return `${String(when.getHours()).padStart(2, "0")}:${String(when.getMinutes()).padStart(2, "0")}`;
}
