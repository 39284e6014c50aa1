// Errors as the page shows them.

// Caused by the gateway or the model server being unavailable, not by the request.
const NOT_READY = new Set(["gateway_unreachable", "no_model", "model_unavailable", "serving_unavailable", "shutting_down"]);

/**
 * An error with a title and a sentence for the user; `needsKey` if an API key would help, `isUnavailable` if it affects
 * everyone until the gateway is ready again.
 */
export class UserError extends Error {
  constructor(title, message, code = "") {
    super(message);
    this.title = title;
    this.needsKey = code === "unauthorized" || code === "forbidden";
    this.isUnavailable = NOT_READY.has(code);
  }
}

const TITLES = {
  unauthorized: "An API key is required",
  forbidden: "This API key is not valid",
  rate_limited: "Too many requests",
  no_model: "No model yet",
  model_unavailable: "The model is not loaded",
  serving_unavailable: "The model server is unreachable",
  deadline_exceeded: "The request timed out",
  overloaded: "The gateway is overloaded",
  image_too_large: "The image is too large",
  unsupported_image: "Unsupported image format",
  undecodable_image: "The image is damaged",
  shutting_down: "The gateway is shutting down",
};

const HINTS = {
  unauthorized: "The operator of this gateway gives out API keys.",
  forbidden: "Check it, or ask the operator of this gateway for a new one.",
  no_model: "Run `make demo` in the repository: it trains and publishes a small model in a few minutes. This page then uses it without a reload.",
  model_unavailable: "It may still be loading; this page keeps checking.",
  serving_unavailable: "Start it with `make serve`, or everything with `make demo`; this page keeps checking.",
};

/** The UserError of the gateway's `{code, message}`. */
export function gatewayError({ code, message }) {
  return new UserError(TITLES[code] ?? "The request failed", HINTS[code] ?? sentence(message), code);
}

export function gatewayUnreachable() {
  return new UserError(
    "The gateway is unreachable",
    "It does not answer. Start it with `make gateway`, or everything with `make demo`; this page keeps checking.",
    "gateway_unreachable",
  );
}

/** Browsers allow cameras only on pages from https:// or from the same machine. */
export function insecureAddress() {
  const local = `http://localhost${location.port && `:${location.port}`}`;
  return new UserError(
    "This address is not secure",
    `Browsers allow the camera only on pages from \`https://\` or, on the gateway's own machine, from \`${local}\`. ` +
      "The operator can set up HTTPS with `make cert`; photos and videos work without it.",
  );
}

/** The UserError for an error of getUserMedia. */
export function cameraError(error) {
  switch (error.name) {
    case "NotAllowedError":
    case "SecurityError":
      return new UserError(
        "Camera access was denied",
        "Allow it for this page with the icon next to the address or in the browser's settings, then press “Use the camera” again.",
      );
    case "NotFoundError":
    case "OverconstrainedError":
      return new UserError("No camera found", "Connect one and press “Use the camera” again, or choose a photo or a video.");
    case "NotReadableError":
    case "AbortError":
      return new UserError("The camera does not start", "Another program may be using it; close that program and press “Use the camera” again.");
    default:
      return new UserError("The camera does not start", sentence(error.message || error.name));
  }
}

/** `text` with a capital letter and a full stop. */
function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}
