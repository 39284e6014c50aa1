// The gateway's HTTP calls.

import { UserError, gatewayError, gatewayUnreachable } from "./errors.js";

const KEY = "segstack-api-key";

/** Sends `key` with every request from now on, until the tab is closed. */
export function useKey(key) {
  sessionStorage.setItem(KEY, key);
}

/** The key in use, or null. */
export function key() {
  return sessionStorage.getItem(KEY);
}

/** The default model: `{model, version}`. Throws UserError if it is not ready. */
export async function readiness() {
  return (await request("/readyz")).json();
}

/** `{default, models}`: the names of the configured models. Throws UserError. */
export async function models() {
  return (await request("/models")).json();
}

/** The description of the model `name`, with its versions. Throws UserError. */
export async function model(name) {
  return (await request(`/models/${encodeURIComponent(name)}`)).json();
}

/**
 * Segments an image file with the `{model, version}` wanted, each of which may be missing. The mask has the model's
 * size: the page stretches it over the photo.
 *
 * Resolves to `{segmentation, timing, elapsed}`; timing maps stages to milliseconds. Throws UserError.
 */
export async function segment(file, wanted, signal) {
  const startedAt = performance.now();
  const query = new URLSearchParams({ form: "json", size: "model", ...wanted });
  const response = await request(`/segment?${query}`, { method: "POST", body: file, signal });
  const segmentation = await response.json();
  return {
    segmentation,
    timing: parseServerTiming(response.headers.get("Server-Timing") ?? ""),
    elapsed: performance.now() - startedAt,
  };
}

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: key() ? { "X-API-Key": key() } : {} });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw gatewayUnreachable();
  }
  if (response.ok) return response;
  throw await errorOf(response);
}

async function errorOf(response) {
  try {
    return gatewayError((await response.json()).error);
  } catch {
    return new UserError("The request failed", `The gateway answered with status ${response.status}.`);
  }
}

function parseServerTiming(header) {
  return Object.fromEntries(
    [...header.matchAll(/(\w+);dur=([\d.]+)/g)].map(([, stage, milliseconds]) => [stage, Number(milliseconds)]),
  );
}
