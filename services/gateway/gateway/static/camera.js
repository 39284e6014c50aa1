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

/** Fills `menu` with the cameras there are, `camera` chosen; hides `choice` where there is no choice. */
export async function listCameras(menu, choice, camera) {
  const devices = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
  const { deviceId } = camera.getVideoTracks()[0].getSettings();
  menu.replaceChildren(
    ...devices.map((device, at) => new Option(device.label || `Camera ${at + 1}`, device.deviceId, false, device.deviceId === deviceId)),
  );
  choice.hidden = devices.length < 2;
}
