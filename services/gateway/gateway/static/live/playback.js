// The video element that plays a camera or a file, and its controls.

import { UserError, cameraError, insecureAddress } from "../errors.js";

const $ = (id) => document.getElementById(id);

const IDEAL = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };

/** Plays into `video`. Calls `failed(error)` if playback ends later, and `mirror(on)` when mirroring changes. */
export class Playback {
  #failed;
  #mirror;
  #camera;
  #url;

  constructor({ failed, mirror }) {
    this.#failed = failed;
    this.#mirror = mirror;
    const video = $("video");
    $("pause").addEventListener("click", () => (video.paused ? video.play() : video.pause()));
    for (const type of ["play", "pause"]) {
      video.addEventListener(type, () => ($("pause").textContent = video.paused ? "Play" : "Pause"));
    }
    $("position").addEventListener("input", () => (video.currentTime = Number($("position").value) * video.duration));
    video.addEventListener("timeupdate", () => {
      if (this.#url && video.duration) $("position").value = video.currentTime / video.duration;
    });
    video.addEventListener("error", () => this.#url && failed(unplayable()));
    $("mirror").addEventListener("change", () => mirror($("mirror").checked));
  }

  /** Starts the camera `deviceId`, or the browser's default. Throws UserError, or AbortError if `signal` aborts. */
  async useCamera(deviceId, signal) {
    const camera = await openCamera(deviceId);
    if (signal.aborted) {
      closeCamera(camera);
      throw signal.reason;
    }
    this.#camera = camera;
    camera.getVideoTracks()[0].addEventListener("ended", () => {
      if (this.#camera === camera) this.#failed(new UserError("The camera was disconnected", "Connect it again and press “Use the camera”."));
    });
    $("video").srcObject = camera;
    $("mirror").checked = !facesAway(camera);
    this.#mirror($("mirror").checked);
    $("mirror-choice").hidden = false;
    const options = await cameraOptions(camera);
    signal.throwIfAborted();
    $("camera").replaceChildren(...options);
    $("camera-choice").hidden = options.length < 2;
    await start(signal);
  }

  /** Starts a video file. Throws UserError, or AbortError if `signal` aborts. */
  async useFile(file, signal) {
    this.#url = URL.createObjectURL(file);
    $("video").src = this.#url;
    this.#mirror(false);
    $("position").hidden = false;
    await start(signal);
  }

  stop() {
    const video = $("video");
    video.pause();
    if (this.#camera) closeCamera(this.#camera);
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#camera = this.#url = undefined;
    video.srcObject = null;
    video.removeAttribute("src");
    video.load();
    for (const part of ["transport", "position", "mirror-choice", "camera-choice"]) $(part).hidden = true;
  }
}

async function start(signal) {
  try {
    await $("video").play();
  } catch (error) {
    signal.throwIfAborted();
    throw error.name === "AbortError" ? error : unplayable();
  }
  signal.throwIfAborted();
  $("transport").hidden = false;
}

function unplayable() {
  return new UserError("This browser cannot play the video", "Convert it to MP4 (H.264) or WebM, or try another browser.");
}

/** A MediaStream of the camera `deviceId`, or of the browser's default. Throws UserError. */
async function openCamera(deviceId) {
  if (!navigator.mediaDevices) throw insecureAddress();
  const which = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "environment" };
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { ...IDEAL, ...which }, audio: false });
  } catch (error) {
    throw cameraError(error);
  }
}

function closeCamera(camera) {
  for (const track of camera.getTracks()) track.stop();
}

/** Whether it is a rear camera; only other cameras are mirrored. */
function facesAway(camera) {
  return camera.getVideoTracks()[0].getSettings().facingMode === "environment";
}

/** An option for each camera found, with `camera` selected. */
async function cameraOptions(camera) {
  const devices = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
  const inUse = camera.getVideoTracks()[0].getSettings().deviceId;
  return devices.map(
    ({ label, deviceId }, at) => new Option(label || `Camera ${at + 1}`, deviceId, false, deviceId === inUse),
  );
}
