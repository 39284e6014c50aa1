// Which model and version is asked.

import * as api from "./api.js";
import { Trouble } from "./troubles.js";

const $ = (id) => document.getElementById(id);

/** `{model, version}` as chosen; what is missing is left to the gateway. */
export function wanted() {
  const chosen = {};
  if ($("model").value) chosen.model = $("model").value;
  if ($("version").value) chosen.version = Number($("version").value);
  return chosen;
}

/** Calls `changed()` when a person has chosen another. */
export function onChoice(changed) {
  $("model").addEventListener("change", async () => {
    $("version").replaceChildren();
    changed();
    await refreshMenus();
  });
  $("version").addEventListener("change", changed);
}

/** Asks the gateway again what there is; choices stay as long as they can. */
export async function refreshMenus() {
  try {
    const { default: name, models } = await api.models();
    if (!name) return;
    fill($("model"), [["", `${name} (default)`], ...models.filter((each) => each !== name).map((each) => [each, each])]);
    await listVersions($("model").value || name);
    $("menus").hidden = false;
  } catch (error) {
    // Whatever is wrong shows where it matters: when a picture is asked for.
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
