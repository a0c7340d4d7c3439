// The page comes as modules. If one of them cannot be fetched, as when the machine's network changes
// under way, the page would be loading for ever: so it is loaded anew once the daemon answers.
// No module itself, and before all of them.
"use strict";
{
  const PAUSE_MS = 2000;
  let failed = false;

  addEventListener(
    "error",
    ({ target }) => {
      if (failed || !(target instanceof HTMLScriptElement || target instanceof HTMLLinkElement)) return;
      failed = true;
      setTimeout(loadAgain, PAUSE_MS);
    },
    true,
  );

  async function loadAgain() {
    const answer = await fetch("/livez", { cache: "no-store" }).catch(() => null);
    if (answer?.ok) location.reload();
    else setTimeout(loadAgain, PAUSE_MS);
  }
}
