// The visitor's cameras.

import { cameraTrouble, insecureAddress } from "./troubles.js";

const IDEAL = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };

/** A MediaStream of the camera `deviceId`, or of the one the browser prefers. Throws Trouble. */
export async function openCamera(deviceId) {
  if (!navigator.mediaDevices) throw insecureAddress();
  const which = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "environment" };
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { ...IDEAL, ...which }, audio: false });
  } catch (error) {
    throw cameraTrouble(error);
  }
}

export function closeCamera(camera) {
  for (const track of camera.getTracks()) track.stop();
}

/** People expect to see themselves as in a mirror, but not what is before them. */
export function facesAway(camera) {
  return camera.getVideoTracks()[0].getSettings().facingMode === "environment";
}

/** An option for each camera that there is, `camera` chosen. */
export async function cameraOptions(camera) {
  const devices = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
  const inUse = camera.getVideoTracks()[0].getSettings().deviceId;
  return devices.map(
    ({ label, deviceId }, at) => new Option(label || `Camera ${at + 1}`, deviceId, false, deviceId === inUse),
  );
}
