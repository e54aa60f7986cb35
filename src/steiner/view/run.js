// One generation as the view knows it: all events so far, and how far they are shown.

import { TraceFold } from "./trace_fold.js";

const MOMENTLESS = new Set(["section.delta", "answer.delta", "tool_call.delta", "section.started"]);

export class Run {
  constructor(problem = "", { isSaved = false } = {}) {
    this.problem = problem;
    this.isSaved = isSaved;
    this.told = [];
    this.position = 0;
    // Positions worth a stop of the slider: all but those inside a text.
    this.moments = [0];
    this.whole = null;
    this.state = "idle";
    this.message = "";
    this.times = new Map();
    this.fold = new TraceFold(problem);
    this.listeners = [];
  }

  get isLive() {
    return this.position === this.told.length;
  }

  get id() {
    return this.told.find(({ event }) => event.type === "reasoning.started")?.event.id ?? "";
  }

  listen(listener) {
    this.listeners.push(listener);
  }

  // `change`: {event} for one more event that is shown, {reset} where all is to be shown anew,
  // {adopted} where only problem and times are new, {} for the state.
  #tell(change) {
    this.listeners.forEach((listener) => listener(change));
  }

  add(event, time = null) {
    const follows = this.isLive;
    this.told.push({ event, time });
    if (!MOMENTLESS.has(event.type)) this.moments.push(this.told.length);
    if (follows) {
      this.position = this.told.length;
      this.fold.take(event, time);
    }
    this.#tell(follows ? { event } : {});
  }

  addAll(told) {
    for (const { event, time } of told) {
      this.told.push({ event, time });
      if (!MOMENTLESS.has(event.type)) this.moments.push(this.told.length);
    }
    this.position = -1;
    this.seek(this.told.length);
  }

  seek(position) {
    if (position === this.position) return;
    if (position < this.position || this.position < 0) {
      this.fold = new TraceFold(this.problem);
      this.position = 0;
    }
    for (; this.position < position; this.position += 1) {
      const { event, time } = this.told[this.position];
      this.fold.take(event, time);
    }
    // What was saved may have no end of its own.
    if (this.isSaved && this.isLive) this.fold.close();
    this.#adopt();
    this.#tell({ reset: true });
  }

  enter(state, message = "") {
    this.state = state;
    this.message = message;
    this.#tell({});
  }

  // The trace as it can be kept: once all is over and shown, what its maker has; it says more than events do.
  trace() {
    const isWhole = this.whole && this.isLive && (this.isSaved || this.fold.isOver);
    return isWhole ? { ...this.whole, problem: this.problem } : this.fold.trace();
  }

  // What a finished trace says and events do not: exact times, and decisions by force.
  adopt(trace) {
    this.whole = trace;
    this.problem ||= trace.problem ?? "";
    this.fold.problem ||= this.problem;
    for (const step of trace.steps) this.times.set(step.id, step);
    this.#adopt();
    this.#tell({ adopted: true });
  }

  #adopt() {
    for (const [id, { started_s, finished_s, decision_forced }] of this.times) {
      const step = this.fold.steps.get(id);
      if (step) Object.assign(step, { started_s, decision_forced }, step.open ? {} : { finished_s });
    }
  }
}
