// Shows the time that each stage takes.

import { make, setText } from "../text.js";

const $ = (id) => document.getElementById(id);

const STAGES = { decode: "Decode", queue: "Queue", infer: "Model", encode: "Encode" };
const WINDOW_MS = 3000;

/**
 * Shows the gateway's stages, this page's own time if `timing.page` is given, and what remains of `elapsed`
 * milliseconds.
 */
export function showStages(timing, elapsed) {
  const stages = Object.entries(STAGES).map(([stage, name]) => [stage, name, timing[stage] ?? 0]);
  if (timing.page !== undefined) stages.push(["page", "This page", timing.page]);
  const spent = stages.reduce((sum, [, , milliseconds]) => sum + milliseconds, 0);
  stages.push(["rest", timing.page === undefined ? "Network and page" : "Network", Math.max(0, elapsed - spent)]);
  if ($("timing").childElementCount !== 2 * stages.length) build(stages);
  stages.forEach(([, , milliseconds], at) => {
    $("timing").children[2 * at + 1].textContent = `${milliseconds.toFixed(1)} ms`;
    $("bar").children[at].style.flexGrow = milliseconds;
  });
}

export function showTotal(text) {
  setText($("total"), text);
}

function build(stages) {
  $("timing").replaceChildren(...stages.flatMap(([stage, name]) => [make("dt", name, stage), make("dd")]));
  $("bar").replaceChildren(...stages.map(([stage]) => make("span", "", stage)));
}

/** The rate and the times of a stream over the last seconds. */
export class StreamStats {
  #shown = [];
  #dropped = 0;

  /** Counts one frame shown, and `dropped` ones that newer frames replaced. */
  count({ capturedAt, timing, dropped }) {
    const now = performance.now();
    this.#shown.push({ now, latency: now - capturedAt, timing });
    while (this.#shown[0].now < now - WINDOW_MS) this.#shown.shift();
    this.#dropped += dropped;
  }

  /** Updates the page. */
  show() {
    if (!this.#shown.length) return;
    const span = performance.now() - this.#shown[0].now;
    // A rate needs two frames.
    const rate = this.#shown.length > 1 ? `${((1000 * (this.#shown.length - 1)) / span).toFixed(1)} frames per second · ` : "";
    const latency = median(this.#shown.map((each) => each.latency));
    const stages = [...Object.keys(STAGES), "page"].map((stage) => [
      stage,
      median(this.#shown.map(({ timing }) => timing[stage])),
    ]);
    showStages(Object.fromEntries(stages), latency);
    showTotal(`${rate}${latency.toFixed(0)} ms round trip · ${this.#dropped} dropped`);
  }
}

function median(values) {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
