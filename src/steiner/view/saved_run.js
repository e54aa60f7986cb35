// Reads what was saved: a trace, its events as JSON Lines, a recorded stream, or the view's own HTML file.

import { EventStreamDecoder } from "./event_stream.js";
import { EMPTY_STEP, TraceFold } from "./trace_fold.js";
import { eventsOfTrace } from "./trace_events.js";

export class Unreadable extends Error {}

// What a trace may leave out, as Python's `Trace` and `Step` have it.
const TRACE = {
  id: "",
  model: "",
  problem: "",
  steps: [],
  answer: "",
  tool_calls: [],
  ended_by: null,
  finish_reason: null,
  num_prompt_tokens: 0,
  num_reasoning_tokens: 0,
  num_answer_tokens: 0,
  num_forced_tokens: 0,
  num_violations: 0,
  interventions: [],
};
const DATA = /<script type="application\/json" id="saved">([^<]*)<\/script>/;

// Gives {problem, told: [{event, time}], trace where there is one}; raises Unreadable for what is none of them.
export function readSaved(text) {
  const source = DATA.exec(text)?.[1] ?? text.replace(/^\ufeff/, "");
  let saved;
  try {
    saved = /^\s*(event|data|id|retry)?:/.test(source) ? ofStream(source) : ofJson(source);
    // Whatever cannot be told to its end is no trace.
    const fold = new TraceFold();
    saved.told.forEach(({ event }) => fold.take(event));
  } catch {
    throw new Unreadable();
  }
  if (!saved.told.length) throw new Unreadable();
  return saved;
}

function ofStream(text) {
  return ofEvents(new EventStreamDecoder().feed(text).map((message) => JSON.parse(message.data)));
}

function ofJson(text) {
  const lines = text.split("\n").filter((line) => line.trim());
  const first = parsed(lines[0]);
  if (first?.type) return ofEvents(lines.map((line) => JSON.parse(line)));
  const whole = JSON.parse(text);
  if (!whole.trace && whole.protocol === undefined) throw new Unreadable();
  return whole.trace ? ofWhole(whole) : ofWhole({ trace: whole });
}

// As the view saves it: the problem, the trace, and the events where they say more than the trace.
function ofWhole({ problem, trace: given, events }) {
  const trace = { ...TRACE, ...given, steps: (given.steps ?? []).map((step) => ({ ...EMPTY_STEP, ...step })) };
  const asked = problem || trace.problem || "";
  return { problem: asked, trace, told: events ? ofEvents(events, trace).told : eventsOfTrace(trace) };
}

function ofEvents(events, trace = null) {
  const steps = new Map((trace?.steps ?? []).map((step) => [step.id, step]));
  const time = (event) => {
    const step = steps.get(event.step);
    return { "step.started": step?.started_s, "step.done": step?.finished_s }[event.type] ?? null;
  };
  return { problem: "", told: events.map((event) => ({ event, time: time(event) })) };
}

function parsed(line) {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
