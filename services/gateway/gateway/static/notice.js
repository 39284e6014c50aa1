// The one place where the page says that something is wrong.

import { setText } from "./text.js";

const $ = (id) => document.getElementById(id);

let subject = null;

/** Says `trouble`, which is about `about`: "readiness" or "picture". Returns whether that is news. */
export function showTrouble(trouble, about) {
  const isSame = $("notice-title").textContent === trouble.title;
  // What a person has just tried comes first; that the model is away as well stands in the header.
  if (!$("notice").hidden && subject === "picture" && about === "readiness" && !isSame) return false;
  subject = about;
  // The same trouble is found again and again while it lasts; a screen reader should say it once.
  if (!$("notice").hidden && isSame) return false;
  $("notice-title").textContent = trouble.title;
  setText($("notice-text"), trouble.message);
  $("key-form").hidden = !trouble.needsKey;
  $("notice").hidden = false;
  if (trouble.needsKey) $("key").focus();
  return true;
}

/** Takes back what was said about `about`, and nothing else. */
export function forgetTrouble(about) {
  if (subject !== about) return;
  $("notice").hidden = true;
  subject = null;
}

/** Calls `use(key)` when a person has typed an API key. */
export function onKey(use) {
  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    $("notice").hidden = true;
    use($("key").value.trim());
  });
}
