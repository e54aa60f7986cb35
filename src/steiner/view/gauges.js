// Where a generation stands against its limits.

import { element } from "./element.js";
import { t } from "./language.js";
import { standingOf } from "./trace_fold.js";

const WINDOW_S = 2;

export class Gauges {
  constructor() {
    this.root = element("dl", { class: "gauges", "data-label": "gauges" });
    this.parts = new Map();
    this.samples = [];
  }

  show(fold) {
    const policy = fold.policy ?? {};
    this.#gauge("max_reasoning_tokens", fold.numTokens, policy.max_reasoning_tokens);
    this.#gauge("steps", fold.steps.size, policy.max_steps);
    this.#gauge("backtracks", fold.numBacktracks, policy.max_backtracks);
    this.#gauge("depth", depthOf(fold), policy.max_depth);
    const rate = this.#rate(fold);
    this.#gauge("rate", rate === null ? "\u2013" : Math.round(rate), null);
  }

  // Tokens a second: lately while it runs, over all of it once it is over.
  #rate(fold) {
    if (fold.isOver || fold.endedBy) {
      const done = [...fold.steps.values()].filter((step) => step.finished_s !== null);
      if (!done.length) return null;
      const took = done.at(-1).finished_s - done[0].started_s;
      return took > 0 ? fold.numTokens / took : null;
    }
    const now = performance.now() / 1000;
    this.samples.push([now, fold.numTokens]);
    while (this.samples[0][0] < now - WINDOW_S) this.samples.shift();
    const [since, before] = this.samples[0];
    return now - since > 0.2 && fold.numTokens >= before ? (fold.numTokens - before) / (now - since) : null;
  }

  #gauge(name, value, limit) {
    if (!this.parts.has(name)) {
      const part = {
        label: element("dt"),
        text: element("dd"),
        bar: element("div", { class: "bar", "aria-hidden": "true" }, element("i")),
      };
      this.root.append(
        element("div", { class: "gauge", "data-gauge": name }, part.label, part.text, part.bar),
      );
      this.parts.set(name, part);
    }
    const { label, text, bar } = this.parts.get(name);
    const isLimited = limit !== null && limit !== undefined;
    setText(label, t(name));
    setText(text, isLimited ? `${value} / ${limit}` : String(value));
    bar.hidden = !isLimited;
    if (isLimited) {
      const share = limit > 0 ? Math.min(1, value / limit) : 1;
      bar.firstChild.style.scale = `${share} 1`;
      bar.classList.toggle("full", share >= 1);
    }
  }
}

function setText(part, text) {
  if (part.textContent !== text) part.textContent = text;
}

// Length of the path that is being followed.
function depthOf(fold) {
  const step = fold.steps.get(fold.current);
  if (!step || step.depth === null) return 0;
  if (step.decision?.type === "backtrack") return step.decision.to_depth ?? 0;
  return standingOf(step) === "refuted" ? step.depth - 1 : step.depth;
}
