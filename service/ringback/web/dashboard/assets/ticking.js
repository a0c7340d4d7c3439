// Text that changes with time: one timer writes all of it, and nothing is rendered anew.
import { clock } from "./clock.js";
import { html, useLayoutEffect, useRef } from "./html.js";
import { duration } from "./words.js";

// Shows what `text(now)` gives, from second to second.
export function Ticking({ text, class: name, ...others }) {
  const at = useRef(null);
  useLayoutEffect(() => {
    const write = (now) => {
      const words = text(now);
      if (at.current.textContent !== words) at.current.textContent = words;
    };
    write(clock.shown());
    return clock.onTick(write);
  });
  return html`<span ref=${at} class=${name} ...${others}></span>`;
}

export const Age = ({ since, ...others }) =>
  html`<${Ticking} text=${(now) => duration(now - Date.parse(since))} ...${others} />`;

// Counts down, and up again once it is due.
export function Countdown({ until, late = "due", ...others }) {
  const text = (now) => {
    const left = Date.parse(until) - now;
    return left >= 0 ? `in ${duration(left + 999)}` : `${late} ${duration(-left)}`;
  };
  return html`<${Ticking} text=${text} ...${others} />`;
}
