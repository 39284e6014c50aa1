// The user's cameras.

import { cameraTrouble, insecureAddress } from "./troubles.js";

const IDEAL = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };

/** A MediaStream of the camera `deviceId`, or of the browser's default. Throws Trouble. */
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

/** Whether it is a rear camera; only other cameras are mirrored. */
export function facesAway(camera) {
  return camera.getVideoTracks()[0].getSettings().facingMode === "environment";
}

/** An option for each camera found, with `camera` selected. */
export async function cameraOptions(camera) {
  const devices = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
  const inUse = camera.getVideoTracks()[0].getSettings().deviceId;
  return devices.map(
    ({ label, deviceId }, at) => new Option(label || `Camera ${at + 1}`, deviceId, false, deviceId === inUse),
  );
}
