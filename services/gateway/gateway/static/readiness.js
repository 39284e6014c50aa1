// Watches whether the default model answers, and says so in the header.

import { readiness } from "./api.js";
import { forgetTrouble, showTrouble } from "./notice.js";
import { Trouble } from "./troubles.js";

const POLL_AWAY_MS = 2000;
const POLL_READY_MS = 15000;

const $ = (id) => document.getElementById(id);

let nextLook;

/** Looks now, and from then on again and again; `ready(model, version)` hears of each time that all is well. */
export async function watchReadiness(ready) {
  let pause = POLL_AWAY_MS;
  try {
    const { model, version } = await readiness();
    $("status").textContent = `${model} v${version}`;
    $("status").dataset.state = "ready";
    forgetTrouble("readiness");
    ready(model, version);
    pause = POLL_READY_MS;
  } catch (trouble) {
    if (!(trouble instanceof Trouble)) throw trouble;
    $("status").textContent = trouble.title;
    $("status").dataset.state = "away";
    showTrouble(trouble, "readiness");
  } finally {
    clearTimeout(nextLook); // of another look that was under way
    nextLook = setTimeout(() => watchReadiness(ready), pause);
  }
}
