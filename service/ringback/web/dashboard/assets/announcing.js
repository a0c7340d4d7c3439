// Says to a screen reader what cannot be missed, at most a sentence every few seconds.
const PAUSE_MS = 5000;

let region = null;
let waiting = [];
let timer = null;

export function announceIn(element) {
  region = element;
}

export function announce(words) {
  waiting.push(words);
  timer ??= setTimeout(say, 100);
}

function say() {
  const words = waiting;
  waiting = [];
  if (region)
    region.textContent = words.length > 3 ? `${words.length} new alerts` : words.join(". ");
  timer = setTimeout(() => {
    timer = null;
    if (waiting.length) say();
  }, PAUSE_MS);
}
