// What can go wrong, in clear words.

// Of these the whole gateway or the model server is the cause, and not what was asked.
const NOT_READY = new Set(["gateway_away", "no_model", "model_unavailable", "serving_unavailable", "shutting_down"]);

/**
 * A failure with a title and a sentence for the person at the screen; `needsKey` when an API key would help, `isAway`
 * when everyone has it until the gateway is ready again.
 */
export class Trouble extends Error {
  constructor(title, message, code = "") {
    super(message);
    this.title = title;
    this.needsKey = code === "unauthorized" || code === "forbidden";
    this.isAway = NOT_READY.has(code);
  }
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
  shutting_down: "The gateway is shutting down",
};

const HINTS = {
  unauthorized: "Whoever runs this gateway gives out API keys.",
  forbidden: "Check it, or ask whoever runs this gateway for another.",
  no_model: "Run `make demo` in the repository: it trains and publishes a small model in a few minutes, and this page finds it by itself.",
  model_unavailable: "This page goes on looking for it.",
  serving_unavailable: "Start it with `make serve`, or everything with `make demo`; this page goes on looking for it.",
};

/** The Trouble of the gateway's `{code, message}`. */
export function troubleOf({ code, message }) {
  return new Trouble(TITLES[code] ?? "That did not work", HINTS[code] ?? sentence(message), code);
}

export function gatewayAway() {
  return new Trouble(
    "The gateway is away",
    "It does not answer. Start it again with `make gateway`, or everything with `make demo`; this page goes on looking for it.",
    "gateway_away",
  );
}

/** Browsers give cameras to pages from https:// and from this machine only. */
export function insecureAddress() {
  const local = `http://localhost${location.port && `:${location.port}`}`;
  return new Trouble(
    "This address is not secure",
    `Browsers give the camera only to pages from \`https://\` or from the machine itself, at \`${local}\`. ` +
      "Whoever runs this gateway makes it secure with `make cert`; photos and videos work here all the same.",
  );
}

/** The Trouble of what getUserMedia threw. */
export function cameraTrouble(error) {
  switch (error.name) {
    case "NotAllowedError":
    case "SecurityError":
      return new Trouble(
        "The camera was refused",
        "Allow it for this page, by the sign beside the address or in the browser's settings, and press “Use the camera” again.",
      );
    case "NotFoundError":
    case "OverconstrainedError":
      return new Trouble("There is no camera", "Connect one and press “Use the camera” again, or choose a photo or a video.");
    case "NotReadableError":
    case "AbortError":
      return new Trouble("The camera does not start", "Another program may be using it; close that and press “Use the camera” again.");
    default:
      return new Trouble("The camera does not start", sentence(error.message || error.name));
  }
}

/** `text` with a capital and a full stop. */
export function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}
