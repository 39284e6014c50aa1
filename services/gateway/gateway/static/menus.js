// The menus for model and version.

import * as api from "./api.js";
import { Trouble } from "./troubles.js";

const $ = (id) => document.getElementById(id);

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
    if (!(error instanceof Trouble)) throw error;
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
