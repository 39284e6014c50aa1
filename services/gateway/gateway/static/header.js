// The page's header: whether the default model is ready, and the menus for model and version.

import * as api from "./api.js";
import { UserError } from "./errors.js";
import { clearError, showError } from "./notice.js";

const POLL_UNAVAILABLE_MS = 2000;
const POLL_READY_MS = 15000;

const $ = (id) => document.getElementById(id);

let nextCheck;

/** Checks now and then periodically; calls `ready(model, version)` each time the model is ready. */
export async function watchReadiness(ready) {
  let pause = POLL_UNAVAILABLE_MS;
  try {
    const { model, version } = await api.readiness();
    $("status").textContent = `${model} v${version}`;
    $("status").dataset.state = "ready";
    clearError("readiness");
    ready(model, version);
    pause = POLL_READY_MS;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    $("status").textContent = error.title;
    $("status").dataset.state = "unavailable";
    showError(error, "readiness");
  } finally {
    clearTimeout(nextCheck); // of another check that was in progress
    nextCheck = setTimeout(() => watchReadiness(ready), pause);
  }
}

/** `{model, version}` as selected; if one is missing the gateway chooses. */
export function wanted() {
  const chosen = {};
  if ($("model").value) chosen.model = $("model").value;
  if ($("version").value) chosen.version = Number($("version").value);
  return chosen;
}

/** Calls `changed()` when the user selects another. */
export function onChoice(changed) {
  $("model").addEventListener("change", async () => {
    $("version").replaceChildren();
    changed();
    await refreshMenus();
  });
  $("version").addEventListener("change", changed);
}

/** Fetches models and versions again; selections are kept where they still exist. */
export async function refreshMenus() {
  try {
    const { default: name, models } = await api.models();
    if (!name) return;
    fill($("model"), [["", `${name} (default)`], ...models.filter((each) => each !== name).map((each) => [each, each])]);
    await listVersions($("model").value || name);
    $("menus").hidden = false;
  } catch (error) {
    // It is reported where it matters: when an image is segmented.
    if (!(error instanceof UserError)) throw error;
  }
}

async function listVersions(name) {
  const { versions, label } = await api.model(name);
  const loaded = versions.filter(({ state }) => state === "AVAILABLE");
  fill($("version"), [
    ["", label ?? "newest"],
    ...loaded.map(({ version, labels }) => [version, [version, ...labels].join(" · ")]),
  ]);
}

function fill(menu, options) {
  const { value } = menu;
  menu.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  menu.value = value;
  if (menu.selectedIndex < 0) menu.selectedIndex = 0;
}
