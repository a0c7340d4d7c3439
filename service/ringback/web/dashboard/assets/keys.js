// Everything by keyboard. What is typed into a field stays there.
const FIELDS = "input, select, textarea";

export function listenToKeys(act) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    // An open dialog has the keys to itself, the one that closes it above all.
    if (document.querySelector("dialog:modal")) return;
    const field = event.target.closest?.(FIELDS);
    if (field) {
      if (event.key === "Escape") field.blur();
      return;
    }
    const action = ACTIONS[event.key];
    if (!action) return;
    // A focused button or link is pressed by Enter, and a list is scrolled by arrows.
    const own = event.target.closest?.("button, a, summary, .alert-list, .drawer-body");
    if (own && (event.key === "Enter" || event.key.startsWith("Arrow") || MOVES.has(event.key)))
      return;
    event.preventDefault();
    act(action);
  });
}

const MOVES = new Set(["Home", "End", "PageUp", "PageDown"]);
const ACTIONS = {
  ArrowDown: { move: 1 },
  j: { move: 1 },
  ArrowUp: { move: -1 },
  k: { move: -1 },
  PageDown: { page: 1 },
  PageUp: { page: -1 },
  Home: { move: -Infinity },
  End: { move: Infinity },
  Enter: { open: true },
  Escape: { leave: true },
  "/": { search: true },
  "?": { help: true },
  w: { view: "wall" },
  a: { view: "alerting" },
  t: { theme: true },
};

export const HELP = [
  ["j or ↓", "next callback"],
  ["k or ↑", "previous callback"],
  ["Enter", "open its timeline"],
  ["Esc", "close, or leave the field"],
  ["/", "search"],
  ["w", "wallboard and back"],
  ["a", "rules, silences and receivers, and back"],
  ["t", "dark and light"],
  ["?", "this help"],
];
