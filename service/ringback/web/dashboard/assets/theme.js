// Dark or light: as the system has it, until somebody chooses.
const KEY = "ringback-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
// Not asked at each rendering: whoever asks before a change is told of may never be told.
let system = dark.matches;
const listeners = new Set();

export const theme = () => kept() ?? (system ? "dark" : "light");

export function startTheme() {
  show();
  dark.addEventListener("change", (change) => {
    system = change.matches;
    show();
  });
}

export function switchTheme() {
  try {
    localStorage.setItem(KEY, theme() === "dark" ? "light" : "dark");
  } catch {
    // Storage may be forbidden: then the system decides.
  }
  show();
}

export function onTheme(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

// A colour of the page, for what draws on a canvas.
export const colour = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function show() {
  document.documentElement.dataset.theme = theme();
  for (const listener of listeners) listener();
}

function kept() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
