// The gateway's HTTP calls.

import { Trouble, gatewayAway, troubleOf } from "./troubles.js";

const KEY = "segstack-api-key";

/** Sends `key` with every request from now on, until this tab is closed. */
export function useKey(key) {
  sessionStorage.setItem(KEY, key);
}

/** The key in use; null when there is none. */
export function key() {
  return sessionStorage.getItem(KEY);
}

/** The default model: `{model, version}`. Throws Trouble when it cannot answer. */
export async function readiness() {
  return (await ask("/readyz")).json();
}

/** `{default, models}`: the names of the configured models. Throws Trouble. */
export async function models() {
  return (await ask("/models")).json();
}

/** What `name` says about itself, its versions first. Throws Trouble. */
export async function model(name) {
  return (await ask(`/models/${encodeURIComponent(name)}`)).json();
}

/**
 * Segments an image file by the `{model, version}` wanted, each of which may be missing. The mask comes at the model's
 * size: this page stretches it over the photo.
 *
 * Resolves to `{segmentation, timing, elapsed}`; timing maps stages to milliseconds. Throws Trouble.
 */
export async function segment(file, wanted, signal) {
  const startedAt = performance.now();
  const query = new URLSearchParams({ output: "json", size: "model", ...wanted });
  const response = await ask(`/segment?${query}`, { method: "POST", body: file, signal });
  const segmentation = await response.json();
  return {
    segmentation,
    timing: parseServerTiming(response.headers.get("Server-Timing") ?? ""),
    elapsed: performance.now() - startedAt,
  };
}

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: key() ? { "X-API-Key": key() } : {} });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw gatewayAway();
  }
  if (response.ok) return response;
  throw await refusal(response);
}

async function refusal(response) {
  try {
    return troubleOf((await response.json()).error);
  } catch {
    return new Trouble("That did not work", `The gateway answered with status ${response.status}.`);
  }
}

function parseServerTiming(header) {
  return Object.fromEntries(
    [...header.matchAll(/(\w+);dur=([\d.]+)/g)].map(([, stage, milliseconds]) => [stage, Number(milliseconds)]),
  );
}
