// The page: takes a photo, a video or a camera, and shows the model's segmentation of it.

import * as api from "./api.js";
import { UserError } from "./errors.js";
import { decode, decodeWhole, download, jsonFile, maskFile, onFile, overlayFile } from "./files.js";
import { onChoice, refreshMenus, wanted, watchReadiness } from "./header.js";
import { Live } from "./live/live.js";
import { Playback } from "./live/playback.js";
import { clearError, onKey, showError } from "./notice.js";
import { countPixels, fromRuns } from "./painting/masks.js";
import { Palette } from "./painting/palette.js";
import { Stage } from "./painting/stage.js";
import { ClassList } from "./panel/class_list.js";
import { StreamStats, showStages, showTotal } from "./panel/readout.js";

const SCHEME = "segstack-colours";
// Often enough to follow changes, seldom enough to read.
const UPDATE_EVERY_MS = 250;
const NO_MODEL = { model: "", version: 0, ignore_id: 255, classes: [] };

const $ = (id) => document.getElementById(id);

let running = new AbortController(); // aborted when another image replaces this one
let file; // the photo or video
let live;
let stats;
let served = NO_MODEL;
let palette = new Palette("model");
let fractions = new Float64Array(256);
let updateTimer;
let readyModel;

const palettes = new Map();
const stage = new Stage((id) => `${palette.nameOf(id)} · ${(100 * fractions[id]).toFixed(1)} %`);
const classList = new ClassList($("classes"), () => (stage.rgba = palette.rgba));
const playback = new Playback({ failed: fail, mirror: (on) => (stage.mirrored = on) });

function checkReadiness() {
  watchReadiness((model, version) => {
    live?.reconnect();
    if (readyModel === `${model} ${version}`) return;
    readyModel = `${model} ${version}`;
    refreshMenus();
  });
}

/** Clears the page for another image. */
function begin(caption) {
  running.abort();
  running = new AbortController();
  clearTimeout(updateTimer);
  updateTimer = undefined;
  live?.close();
  live = undefined;
  playback.stop();
  clearError("image");
  $("caption").textContent = caption;
  $("views").hidden = false;
  if ($("sources").contains(document.activeElement)) $("picture").focus(); // else the keyboard focus would go to the top
  $("sources").hidden = true;
  $("panel").hidden = true;
  return running.signal;
}

/** Back to choosing an image; the keyboard focus goes to where this one was chosen. */
function end() {
  const hadFocus = ["views", "transport", "panel"].some((part) => $(part).contains(document.activeElement));
  begin("");
  stage.clear();
  $("views").hidden = true;
  $("sources").hidden = false;
  $("file").value = "";
  if (hadFocus) (file ? $("file") : $("use-camera")).focus();
}

function fail(error) {
  end();
  report(error);
}

function report(error) {
  // If everything is unreachable the header shows it at once, and the notice is cleared when it is back.
  if (showError(error, "image") && error.isUnavailable) checkReadiness();
}

/** Runs `opening`; a UserError is reported, unless another image has been opened meanwhile. */
async function attempt(opening, signal) {
  try {
    await opening();
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof UserError)) throw error;
    fail(error);
    if (!error.needsKey) file = undefined; // with a key it will be opened again
  }
}

function open(chosen) {
  if (!chosen) return;
  file = chosen;
  if (chosen.type.startsWith("video/")) openLive((signal) => playback.useFile(chosen, signal));
  else openPhoto(chosen);
}

function openPhoto(photo) {
  const signal = begin("Segmenting…");
  stage.clear();
  stage.mirrored = false;
  $("views").classList.add("busy");
  attempt(async () => {
    const shown = decode(photo).then(
      (frame) => (signal.aborted ? frame.close() : stage.show(frame, null)),
      () => "unreadable",
    );
    const { segmentation, timing, elapsed } = await api.segment(photo, wanted(), signal);
    if ((await shown) === "unreadable") throw new UserError("This browser cannot show the image", "Save it as JPEG or PNG and try that.");
    const classes = await everyClass(segmentation);
    signal.throwIfAborted();
    useModel({ ...segmentation, classes });
    const found = [...segmentation.classes].sort((a, b) => b.area - a.area);
    fractions = new Float64Array(256);
    for (const { id, area } of found) fractions[id] = area;
    stage.show(stage.shown.frame, fromRuns(segmentation));
    setSavable(true);
    classList.fill(palette, found.map(({ id }) => id));
    showTotal(`${elapsed.toFixed(0)} ms from upload to display:`);
    showStages(timing, elapsed);
    updatePanel();
  }, signal).finally(() => {
    if (!signal.aborted || $("views").hidden) $("views").classList.remove("busy");
  });
}

/** All classes of the model that answered: those in the image, and the others if the gateway lists them. */
async function everyClass({ model, version, classes }) {
  const others = served.model === model && served.version === version ? served.classes : await classesOf(model, version);
  const known = new Map([...others, ...classes].map((each) => [each.id, each]));
  return [...known.values()]
    .map(({ id, name, color, background }) => ({ id, name, color, background }))
    .sort((a, b) => a.id - b.id);
}

async function classesOf(model, version) {
  try {
    const current = await api.model(model);
    return current.version === version ? current.classes : [];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return []; // the image is shown without them
  }
}

function openLive(play) {
  const signal = begin("Starting…");
  stage.clear();
  fractions = new Float64Array(256);
  stats = new StreamStats();
  served = NO_MODEL;
  attempt(async () => {
    await play(signal);
    live = new Live($("video"), wanted(), {
      configured: (answer) => {
        clearError("image");
        const isOther = answer.model !== served.model || answer.version !== served.version;
        useModel(answer);
        if (!isOther) return;
        classList.fill(palette, []);
        if (stage.shown.frame) stage.show(stage.shown.frame, null);
      },
      failed: report,
      lost: checkReadiness,
      show: showLive,
    });
  }, signal);
}

function showLive(frame, mask, reply) {
  stage.show(frame, mask);
  setSavable(mask !== null);
  if (!mask) {
    $("caption").textContent = "Waiting for the gateway…";
    return;
  }
  clearError("image");
  stats.count(reply);
  updateTimer ??= setTimeout(() => {
    updateTimer = undefined;
    const { mask } = stage.shown;
    if (!mask) return;
    fractions = Float64Array.from(countPixels(mask), (pixels) => pixels / mask.ids.length);
    // A class gets a row when it first appears, and keeps it.
    classList.add(palette.classes.map(({ id }) => id).filter((id) => fractions[id] > 0 || classList.has(id)));
    stats.show();
    updatePanel();
  }, UPDATE_EVERY_MS);
}

function useModel(answer) {
  served = answer;
  if (!palettes.has(answer.model)) palettes.set(answer.model, new Palette($("scheme").value));
  palette = palettes.get(answer.model);
  palette.learn(answer.classes);
  stage.rgba = palette.rgba;
}

/** Updates the caption and the panel to the image shown. */
function updatePanel() {
  classList.fractions = fractions;
  $("caption").textContent = `${served.model} v${served.version}`;
  const found = palette.classes.filter(({ id }) => fractions[id] > 0).sort((a, b) => fractions[b.id] - fractions[a.id]);
  $("picture").ariaLabel = `The image with ${found.map(({ id, name }) => `${name} ${(100 * fractions[id]).toFixed(0)} %`).join(", ")}`;
  $("another").hidden = live !== undefined;
  $("panel").hidden = false;
}

const FILES = {
  "save-overlay": ["-overlay.png", (frame, mask) => overlayFile(frame, mask, palette.rgba, opacity())],
  "save-mask": ["-mask.png", (frame, mask) => maskFile(mask, frame, served)],
  "save-json": [".json", (frame, mask) => jsonFile(mask, frame, served)],
};

async function save(suffix, contents) {
  const { frame, mask } = stage.shown;
  if (!mask) return;
  const name = file ? file.name.replace(/\.[^.]*$/, "") : `camera-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}`;
  // A photo is saved at full size; a frame of a video at once, before the next one replaces it.
  const whole = live ? frame : await decodeWhole(file);
  const blob = await contents(whole, mask);
  if (whole !== frame) whole.close();
  download(blob, `${name}${suffix}`);
}

function setSavable(isSavable) {
  for (const button of Object.keys(FILES)) $(button).disabled = !isSavable;
}

function opacity() {
  return Number($("opacity").value) / 100;
}

function savedScheme() {
  return localStorage.getItem(SCHEME) ?? "model";
}

for (const [button, [suffix, contents]] of Object.entries(FILES)) {
  $(button).addEventListener("click", () => save(suffix, contents));
}
onFile($("file"), open);
for (const [element, kind, device] of [
  [$("use-camera"), "click", () => undefined],
  [$("camera"), "change", () => $("camera").value],
]) {
  element.addEventListener(kind, () => {
    file = undefined;
    openLive((signal) => playback.useCamera(device(), signal));
  });
}
onChoice(() => {
  if (live) live.configure(wanted());
  else if (!$("views").hidden) open(file);
});
onKey((key) => {
  api.useKey(key);
  refreshMenus();
  if (live) live.configure(wanted());
  else open(file);
});
for (const button of ["another", "stop"]) $(button).addEventListener("click", end);
$("opacity").addEventListener("input", () => {
  stage.opacity = opacity();
  $("opacity-value").textContent = `${$("opacity").value} %`;
});
$("opacity").dispatchEvent(new Event("input"));
for (const choice of document.getElementsByName("view")) {
  choice.addEventListener("change", () => (stage.view = choice.value));
}
$("all").addEventListener("click", () => classList.setAll(true));
$("none").addEventListener("click", () => classList.setAll(false));
$("scheme").value = savedScheme();
$("scheme").addEventListener("change", () => {
  localStorage.setItem(SCHEME, $("scheme").value);
  for (const each of palettes.values()) each.scheme = $("scheme").value;
  stage.rgba = palette.rgba;
  classList.recolour();
});
addEventListener("online", () => live?.reconnect());
checkReadiness();
