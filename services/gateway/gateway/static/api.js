// The gateway's answers, and clear words when there are none.

/** A failure with a title and a sentence for the person at the screen; `needsKey` when an API key would help. */
export class Trouble extends Error {
  constructor(title, message, needsKey = false) {
    super(message);
    this.title = title;
    this.needsKey = needsKey;
  }
}

const KEY = "segstack-api-key";

/** Sends `key` with every request from now on, until this tab is closed. */
export function useKey(key) {
  sessionStorage.setItem(KEY, key);
}

const TITLES = {
  unauthorized: "A key is needed",
  forbidden: "This key is not valid",
  rate_limited: "Too many requests",
  no_model: "No model yet",
  model_unavailable: "The model is not loaded",
  serving_unavailable: "The model server is away",
  deadline_exceeded: "That took too long",
  overloaded: "Too much to do",
  image_too_large: "The image is too large",
  unsupported_image: "Not an image this page can use",
  undecodable_image: "The image is damaged",
};

const HINTS = {
  unauthorized: "Whoever runs this gateway gives out API keys.",
  forbidden: "Check it, or ask whoever runs this gateway for another.",
  no_model: "Run `make demo` in the repository: it trains and publishes a small model in a few minutes, and this page finds it by itself.",
  model_unavailable: "This page goes on looking for it.",
  serving_unavailable: "Start it with `make serve`, or everything with `make demo`; this page goes on looking for it.",
};

/** The default model: `{model, version}`. Throws Trouble when it cannot answer. */
export async function readiness() {
  const response = await ask("/readyz");
  return response.json();
}

/**
 * Segments an image file. The mask comes at the model's size: it is stretched over the photo by the browser, and a
 * phone's twelve megapixels need no twelve-megapixel canvas.
 *
 * Resolves to `{segmentation, timing, elapsed}`; timing maps stages to milliseconds. Throws Trouble.
 */
export async function segment(file, signal) {
  const startedAt = performance.now();
  const response = await ask("/segment?output=json&size=model", { method: "POST", body: file, signal });
  const segmentation = await response.json();
  return {
    segmentation,
    timing: parseServerTiming(response.headers.get("Server-Timing") ?? ""),
    elapsed: performance.now() - startedAt,
  };
}

async function ask(path, options = {}) {
  const key = sessionStorage.getItem(KEY);
  let response;
  try {
    response = await fetch(path, { ...options, headers: key ? { "X-API-Key": key } : {} });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble(
      "The gateway is away",
      "It does not answer. Start it again with `make gateway`, or everything with `make demo`; this page goes on looking for it.",
    );
  }
  if (response.ok) return response;
  throw await troubleOf(response);
}

async function troubleOf(response) {
  try {
    const { code, message } = (await response.json()).error;
    return new Trouble(TITLES[code] ?? "That did not work", HINTS[code] ?? sentence(message), code === "unauthorized" || code === "forbidden");
  } catch {
    return new Trouble("That did not work", `The gateway answered with status ${response.status}.`);
  }
}

function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

function parseServerTiming(header) {
  return Object.fromEntries(
    [...header.matchAll(/(\w+);dur=([\d.]+)/g)].map(([, stage, milliseconds]) => [stage, Number(milliseconds)]),
  );
}
