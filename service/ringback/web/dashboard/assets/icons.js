// Drawings of a few strokes; whatever they say is in words beside them.
import { html } from "./html.js";
import { STATES } from "./words.js";

const SHAPES = {
  alert: "M8 2L14.5 13.5h-13zM8 6.5v3.2M8 11.6v.1",
  bell: "M3.500 12h9l-1.300-2V7a3.200 3.200 0 0 0-6.400 0v3zM7 14h2",
  check: "M3 8.5l3.2 3.2L13 4.8",
  close: "M4 4l8 8M12 4l-8 8",
  closed: "M6 3.500L10.500 8L6 12.500",
  copy: "M6 6h7.5v7.5H6zM10 6V2.5H2.5V10H6",
  critical: "M5.500 1.800h5L14.200 5.500v5L10.500 14.200h-5L1.800 10.500v-5zM8 4.800v4M8 11.200v.1",
  doubt: "M5.5 6a2.5 2.5 0 1 1 3.6 2.2C8.3 8.700 8 9.200 8 10M8 12.800v.1",
  exit: "M9 2.500H3v11h6M6.500 8h7M11 5.500L13.500 8L11 10.500",
  eye: "M1.500 8s2.500-4.500 6.500-4.500S14.500 8 14.500 8s-2.500 4.500-6.500 4.500S1.500 8 1.500 8zM8 6.200a1.800 1.800 0 1 0 0 3.600a1.800 1.800 0 0 0 0-3.600z",
  help: "M5.500 6a2.500 2.500 0 1 1 3.600 2.200C8.300 8.700 8 9.200 8 10M8 12.800v.1",
  info: "M8 2a6 6 0 1 0 0 12a6 6 0 0 0 0-12zM8 7.200v3.800M8 4.800v.1",
  link: "M6.500 3.500H3v9.500h9.500V9.500M9 2.500h4.500V7M13 3L7.500 8.500",
  moon: "M13 9.500A5.500 5.500 0 1 1 6.500 3a4.500 4.500 0 0 0 6.500 6.500z",
  opened: "M3.500 6L8 10.500L12.500 6",
  search: "M7 2.500a4.500 4.500 0 1 0 0 9a4.500 4.500 0 0 0 0-9zM10.400 10.400L14 14",
  silent: "M5 5.700C4.800 6.100 4.800 6.500 4.800 7v3l-1.300 2H11M6.800 4a3.200 3.200 0 0 1 4.400 3v2.500M7 14h2M2.500 2.500l11 11",
  sun: "M8 5a3 3 0 1 0 0 6a3 3 0 0 0 0-6zM8 1v1.500M8 13.500V15M1 8h1.500M13.500 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1",
  warning: "M8 2L14.500 13.500h-13zM8 6.500v3.200M8 11.600v.1",
  wall: "M1.500 3h13v8.500h-13zM5.500 14h5",
};

export function Icon({ name, size = 16 }) {
  return html`<svg class="icon" width=${size} height=${size} viewBox="0 0 16 16" aria-hidden="true">
    <path d=${SHAPES[name] ?? STATES[name]?.shape} />
  </svg>`;
}
