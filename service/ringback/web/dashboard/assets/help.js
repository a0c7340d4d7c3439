// The keys, in a dialog of the browser's own: it keeps the focus and gives it back.
import { html, useEffect, useRef } from "./html.js";
import { HELP } from "./keys.js";

export function Help({ onClose }) {
  const dialog = useRef(null);
  useEffect(() => dialog.current.showModal(), []);
  return html`<dialog class="help" ref=${dialog} aria-labelledby="help-name" onClose=${onClose}>
    <h2 id="help-name">Keyboard</h2>
    <dl>
      ${HELP.map(
        ([keys, words]) =>
          html`<div key=${keys}>
            <dt><kbd>${keys}</kbd></dt>
            <dd>${words}</dd>
          </div>`,
      )}
    </dl>
    <form method="dialog"><button class="quiet">Close</button></form>
  </dialog>`;
}
