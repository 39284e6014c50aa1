// The page: takes a picture, a video or a camera, and shows what the model sees in it.

import * as api from "./api.js";
import { ClassList } from "./class_list.js";
import { onFile } from "./intake.js";
import { Live } from "./live.js";
import { countPixels, fromRuns } from "./masks.js";
import { onChoice, refreshMenus, wanted } from "./menus.js";
import { forgetTrouble, onKey, showTrouble } from "./notice.js";
import { Palette } from "./palette.js";
import { decode, decodeWhole } from "./photo.js";
import { Playback } from "./playback.js";
import { StreamFigures, showStages, showTotal } from "./readout.js";
import { watchReadiness } from "./readiness.js";
import { download, jsonFile, maskFile, overlayFile } from "./save.js";
import { Stage } from "./stage.js";
import { Trouble } from "./troubles.js";

const SCHEME = "segstack-colours";
// Often enough to follow, seldom enough to read.
const TELL_EVERY_MS = 250;
const NOBODY = { model: "", version: 0, ignore_id: 255, classes: [] };

const $ = (id) => document.getElementById(id);

let running = new AbortController(); // aborted when another picture takes the place of this one
let file; // of a photo or a video
let live;
let figures;
let served = NOBODY;
let palette = new Palette("model");
let shares = new Float64Array(256);
let telling;
let readyModel;

const palettes = new Map();
const stage = new Stage((id) => `${palette.nameOf(id)} · ${(100 * shares[id]).toFixed(1)} %`);
const classList = new ClassList($("classes"), () => (stage.rgba = palette.rgba));
const playback = new Playback({ failed: fail, mirror: (on) => (stage.mirrored = on) });

function look() {
  watchReadiness((model, version) => {
    live?.hurry();
    if (readyModel === `${model} ${version}`) return;
    readyModel = `${model} ${version}`;
    refreshMenus();
  });
}

/** Makes room for another picture. */
function begin(caption) {
  running.abort();
  running = new AbortController();
  clearTimeout(telling);
  telling = undefined;
  live?.close();
  live = undefined;
  playback.stop();
  forgetTrouble("picture");
  $("caption").textContent = caption;
  $("views").hidden = false;
  if ($("sources").contains(document.activeElement)) $("picture").focus(); // or the keyboard would begin at the top
  $("sources").hidden = true;
  $("panel").hidden = true;
  return running.signal;
}

/** Back to where a picture is chosen; the keyboard's focus goes to where this one was. */
function end() {
  const hadFocus = ["views", "transport", "panel"].some((part) => $(part).contains(document.activeElement));
  begin("");
  stage.clear();
  $("views").hidden = true;
  $("sources").hidden = false;
  $("file").value = "";
  if (hadFocus) (file ? $("file") : $("use-camera")).focus();
}

function fail(trouble) {
  end();
  say(trouble);
}

function say(trouble) {
  // Where everything is away the header should say so at once, and the notice go when it is back.
  if (showTrouble(trouble, "picture") && trouble.isAway) look();
}

/** Runs what opens a picture; a Trouble ends it, another picture's beginning ends it quietly. */
async function attempt(opening, signal) {
  try {
    await opening();
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Trouble)) throw error;
    fail(error);
    if (!error.needsKey) file = undefined; // with a key it is tried again
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
    if ((await shown) === "unreadable") throw new Trouble("This browser cannot show the image", "Save it as JPEG or PNG and try that.");
    const classes = await everyClass(segmentation);
    signal.throwIfAborted();
    answeredBy({ ...segmentation, classes });
    const found = [...segmentation.classes].sort((a, b) => b.area - a.area);
    shares = new Float64Array(256);
    for (const { id, area } of found) shares[id] = area;
    stage.show(stage.shown.frame, fromRuns(segmentation));
    setSavable(true);
    classList.fill(palette, found.map(({ id }) => id));
    showTotal(`${elapsed.toFixed(0)} ms from sending to seeing:`);
    showStages(timing, elapsed);
    tell();
  }, signal).finally(() => {
    if (!signal.aborted || $("views").hidden) $("views").classList.remove("busy");
  });
}

/** The classes of the model that answered: those in the picture, and the others as far as the gateway tells. */
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
    if (!(error instanceof Trouble)) throw error;
    return []; // the picture has its answer all the same
  }
}

function openLive(play) {
  const signal = begin("Starting…");
  stage.clear();
  shares = new Float64Array(256);
  figures = new StreamFigures();
  served = NOBODY;
  attempt(async () => {
    await play(signal);
    live = new Live($("video"), wanted(), {
      configured: (answer) => {
        forgetTrouble("picture");
        const isAnother = answer.model !== served.model || answer.version !== served.version;
        answeredBy(answer);
        if (!isAnother) return;
        classList.fill(palette, []);
        if (stage.shown.frame) stage.show(stage.shown.frame, null);
      },
      troubled: say,
      lost: look,
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
  forgetTrouble("picture");
  figures.count(reply);
  telling ??= setTimeout(() => {
    telling = undefined;
    const { mask } = stage.shown;
    if (!mask) return;
    shares = Float64Array.from(countPixels(mask), (pixels) => pixels / mask.ids.length);
    // A class gets its row when it is first seen, and keeps it.
    classList.add(palette.classes.map(({ id }) => id).filter((id) => shares[id] > 0 || classList.has(id)));
    figures.show();
    tell();
  }, TELL_EVERY_MS);
}

function answeredBy(answer) {
  served = answer;
  if (!palettes.has(answer.model)) palettes.set(answer.model, new Palette($("scheme").value));
  palette = palettes.get(answer.model);
  palette.learn(answer.classes);
  stage.rgba = palette.rgba;
}

/** Brings captions and the panel up to what the picture shows. */
function tell() {
  classList.shares = shares;
  $("caption").textContent = `${served.model} v${served.version}`;
  const found = palette.classes.filter(({ id }) => shares[id] > 0).sort((a, b) => shares[b.id] - shares[a.id]);
  $("picture").ariaLabel = `The picture with ${found.map(({ id, name }) => `${name} ${(100 * shares[id]).toFixed(0)} %`).join(", ")}`;
  $("another").hidden = live !== undefined;
  $("panel").hidden = false;
}

const FILES = {
  "save-overlay": ["-overlay.png", (frame, mask) => overlayFile(frame, mask, palette.rgba, opacity())],
  "save-mask": ["-mask.png", (frame, mask) => maskFile(mask, frame, served)],
  "save-json": [".json", (frame, mask) => jsonFile(mask, frame, served)],
};

async function save(ending, contents) {
  const { frame, mask } = stage.shown;
  if (!mask) return;
  const name = file ? file.name.replace(/\.[^.]*$/, "") : `camera-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}`;
  // A photo is saved whole, however large; a frame of a video now, before the next takes its place.
  const whole = live ? frame : await decodeWhole(file);
  const blob = await contents(whole, mask);
  if (whole !== frame) whole.close();
  download(blob, `${name}${ending}`);
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

for (const [button, [ending, contents]] of Object.entries(FILES)) {
  $(button).addEventListener("click", () => save(ending, contents));
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
addEventListener("online", () => live?.hurry());
look();
