// The page: takes an image, shows what the model sees in it.

import { Trouble, readiness, segment, useKey } from "./api.js";
import { paint } from "./paint.js";
import { make, setText } from "./text.js";

const STAGES = { decode: "Decode", queue: "Wait for a place", infer: "Model", encode: "Encode" };
const POLL_AWAY_MS = 2000;
const POLL_READY_MS = 15000;

const $ = (id) => document.getElementById(id);

let running = new AbortController();
let troubleIsAboutReadiness = false;
let nextLook;
let fileWithoutKey;

function showTrouble(trouble) {
  // Polling finds the same trouble again and again; a screen reader should say it once.
  if (!$("notice").hidden && $("notice-title").textContent === trouble.title) return;
  $("notice-title").textContent = trouble.title;
  setText($("notice-text"), trouble.message);
  $("key-form").hidden = !trouble.needsKey;
  $("notice").hidden = false;
  if (trouble.needsKey) $("key").focus();
}

async function watchReadiness() {
  let pause = POLL_AWAY_MS;
  try {
    const { model, version } = await readiness();
    $("status").textContent = `${model} v${version}`;
    $("status").dataset.state = "ready";
    if (troubleIsAboutReadiness) $("notice").hidden = true;
    troubleIsAboutReadiness = false;
    pause = POLL_READY_MS;
  } catch (trouble) {
    if (!(trouble instanceof Trouble)) throw trouble;
    $("status").textContent = trouble.title;
    $("status").dataset.state = "away";
    showTrouble(trouble);
    troubleIsAboutReadiness = true;
  } finally {
    clearTimeout(nextLook); // of another look that was under way
    nextLook = setTimeout(watchReadiness, pause);
  }
}

async function open(file) {
  if (!file) return;
  running.abort();
  running = new AbortController();
  const { signal } = running;
  if (!troubleIsAboutReadiness) $("notice").hidden = true;
  showPhoto(file);
  try {
    showResult(await segment(file, signal));
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof Trouble)) throw error;
    clear();
    fileWithoutKey = error.needsKey ? file : undefined;
    showTrouble(error);
    troubleIsAboutReadiness = false;
    // When serving is away, the header says so at once, and the notice goes when it comes back.
    watchReadiness();
  } finally {
    if (!signal.aborted) $("views").classList.remove("busy");
  }
}

function showPhoto(file) {
  URL.revokeObjectURL($("photo").src);
  const url = URL.createObjectURL(file);
  $("photo").src = url;
  $("original-photo").src = url;
  $("overlay").width = 0;
  $("caption").textContent = "Segmenting…";
  $("views").hidden = false;
  $("views").classList.add("busy");
  $("panel").hidden = true;
}

function showResult({ segmentation, timing, elapsed }) {
  paint($("overlay"), segmentation);
  $("caption").textContent = `${segmentation.model} v${segmentation.version}`;
  $("classes").replaceChildren(...[...segmentation.classes].sort((a, b) => b.area - a.area).map(classRow));
  setText($("total"), `${elapsed.toFixed(0)} ms from sending to seeing, of which the gateway:`);
  $("timing").replaceChildren(
    ...Object.entries(STAGES).flatMap(([stage, name]) => [
      make("dt", name),
      make("dd", `${(timing[stage] ?? 0).toFixed(1)} ms`),
    ]),
  );
  $("panel").hidden = false;
}

function classRow({ name, color, area, background }) {
  const row = document.createElement("li");
  const swatch = make("span", "", "swatch");
  swatch.style.backgroundColor = `rgb(${color.join(" ")})`;
  const meter = document.createElement("meter");
  meter.value = area;
  meter.ariaLabel = `Share of ${name}`;
  row.append(
    swatch,
    make("span", background ? `${name} (unpainted)` : name, background ? "unpainted" : ""),
    make("span", `${(100 * area).toFixed(1)} %`, "share"),
    meter,
  );
  return row;
}

function clear() {
  $("views").hidden = true;
  $("panel").hidden = true;
  $("file").value = "";
}

$("file").addEventListener("change", () => open($("file").files[0]));
$("photo").addEventListener("load", () => {
  $("views").style.setProperty("--ratio", $("photo").naturalWidth / $("photo").naturalHeight);
});
$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey($("key").value.trim());
  $("notice").hidden = true;
  open(fileWithoutKey);
});
$("another").addEventListener("click", () => {
  clear();
  $("file").focus();
});
document.addEventListener("paste", (event) => open(event.clipboardData.files[0]));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragging");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dragging");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  open(event.dataTransfer.files[0]);
});
$("opacity").addEventListener("input", () => {
  const percent = Number($("opacity").value);
  $("overlay").style.opacity = percent / 100;
  $("opacity-value").textContent = `${percent} %`;
});
$("opacity").dispatchEvent(new Event("input"));
for (const choice of document.getElementsByName("view")) {
  choice.addEventListener("change", () => {
    $("original").hidden = choice.value !== "beside";
  });
}
watchReadiness();
