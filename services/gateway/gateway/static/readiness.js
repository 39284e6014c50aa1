// Checks whether the default model is ready, and shows it in the header.

import { readiness } from "./api.js";
import { clearTrouble, showTrouble } from "./notice.js";
import { Trouble } from "./troubles.js";

const POLL_UNAVAILABLE_MS = 2000;
const POLL_READY_MS = 15000;

const $ = (id) => document.getElementById(id);

let nextCheck;

/** Checks now and then periodically; calls `ready(model, version)` each time the model is ready. */
export async function watchReadiness(ready) {
  let pause = POLL_UNAVAILABLE_MS;
  try {
    const { model, version } = await readiness();
    $("status").textContent = `${model} v${version}`;
    $("status").dataset.state = "ready";
    clearTrouble("readiness");
    ready(model, version);
    pause = POLL_READY_MS;
  } catch (trouble) {
    if (!(trouble instanceof Trouble)) throw trouble;
    $("status").textContent = trouble.title;
    $("status").dataset.state = "away";
    showTrouble(trouble, "readiness");
  } finally {
    clearTimeout(nextCheck); // of another check that was in progress
    nextCheck = setTimeout(() => watchReadiness(ready), pause);
  }
}
