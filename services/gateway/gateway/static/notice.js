// The notice that shows errors.

import { setText } from "./text.js";

const $ = (id) => document.getElementById(id);

let subject = null;

/** Shows `error`, about "readiness" or "image". Returns whether it is new. */
export function showError(error, about) {
  const isSame = $("notice-title").textContent === error.title;
  // An error of the user's last action has priority; the header shows that the model is unavailable.
  if (!$("notice").hidden && subject === "image" && about === "readiness" && !isSame) return false;
  subject = about;
  // The same error is reported repeatedly while it lasts; a screen reader should read it once.
  if (!$("notice").hidden && isSame) return false;
  $("notice-title").textContent = error.title;
  setText($("notice-text"), error.message);
  $("key-form").hidden = !error.needsKey;
  $("notice").hidden = false;
  if (error.needsKey) $("key").focus();
  return true;
}

/** Hides the notice if it is about `about`. */
export function clearError(about) {
  if (subject !== about) return;
  $("notice").hidden = true;
  subject = null;
}

/** Calls `use(key)` when the user has entered an API key. */
export function onKey(use) {
  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    $("notice").hidden = true;
    use($("key").value.trim());
  });
}
