// States in people's words, and how numbers and times are written.

// In the order of a callback's life. Each has a shape of its own beside its colour.
export const STATES = {
  scheduled: {
    label: "Scheduled",
    shape: "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 0 0 0-11zM8 5v3.2l2 1.4",
  },
  waiting: { label: "Waiting", shape: "M4 2.5h8M4 13.5h8M5 2.5c0 3 6 8 6 11M11 2.5c0 3-6 8-6 11" },
  alerting: { label: "Alerting", shape: "M3.5 12h9l-1.3-2V7a3.2 3.2 0 0 0-6.4 0v3zM7 14h2" },
  connected: { label: "Accepted", shape: "M3 8.5l3.2 3.2L13 4.8" },
  auto_dialing: { label: "Auto-dialling", shape: "M8.5 2L4 9h4l-1 5l5-7.5H8z" },
  dialing: { label: "Dialling", shape: "M3 13L13 3M7 3h6v6" },
  talking: { label: "Talking", shape: "M2.5 3h11v7.5H8L5 13.5v-3H2.5z" },
  held: { label: "On hold", shape: "M5.5 3v10M10.5 3v10" },
  after_call_work: { label: "After call", shape: "M3.5 12.5l.6-2.6L10.6 3.4l2 2L6.1 11.9z" },
};

export const stateLabel = (state) => STATES[state]?.label ?? worded(state);

export const worded = (name) =>
  name ? name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ") : "";

// An id is recognised by its beginning.
export const short = (id) => (id ? id.slice(0, 8) : "");

// 0:07, 12:40, 3:05:09, 2 d 3 h: as long as it has to be.
export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  const two = (number) => String(number).padStart(2, "0");
  if (hours) return `${hours}:${two(minutes % 60)}:${two(seconds % 60)}`;
  return `${minutes}:${two(seconds % 60)}`;
}

// The same in words, for sentences and for those who listen.
export function spoken(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}

// 90 s, 5 min, 1 h 30 min: exactly, as somebody would set it.
export function lengthWords(seconds) {
  const units = [
    ["d", 86_400],
    ["h", 3600],
    ["min", 60],
    ["s", 1],
  ];
  let left = seconds;
  const parts = [];
  for (const [unit, length] of units) {
    const number = unit === "s" ? left : Math.floor(left / length);
    left -= number * length;
    if (number) parts.push(`${number} ${unit}`);
  }
  return parts.join(" ") || "0 s";
}

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hourCycle: "h23" });
const MINUTE = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});
const DAY = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

const instant = (time) => (typeof time === "number" ? time : Date.parse(time));

export const atSecond = (time) => TIME.format(instant(time));

// 14:30, or with its day if that is not the one of `now`.
export function atMinute(time, now) {
  const when = new Date(instant(time));
  const minute = MINUTE.format(when);
  return when.toDateString() === new Date(now).toDateString()
    ? minute
    : `${DAY.format(when)}, ${minute}`;
}

export const count = (number, one, many = `${one}s`) =>
  `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
