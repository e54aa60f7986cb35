// A trace told as events, so that what was saved can be replayed. The same as `events_of_trace.events_of` in Python.

import { TraceFold } from "./trace_fold.js";
import { destinationOf } from "./trace_tree.js";

// Gives [{event, time}], times in seconds where the trace has them.
export function eventsOfTrace(trace) {
  const told = [];
  const say = (type, fields, time = null) =>
    told.push({ event: { sequence_number: told.length + 1, type, ...fields }, time });
  if (trace.id || trace.model) {
    say("reasoning.started", { id: trace.id, model: trace.model, protocol: trace.protocol, policy: null });
  }
  const tree = new TraceFold();
  trace.steps.forEach((step) => tree.steps.set(step.id, step));
  for (const step of trace.steps) {
    sayStep(say, step);
    trace.interventions.filter((cut) => cut.step === step.id).forEach((cut) => sayAgain(say, cut));
    sayEnd(say, step, tree);
  }
  trace.interventions.filter((cut) => !tree.steps.has(cut.step)).forEach((cut) => sayAgain(say, cut));
  sayAnswer(say, trace);
  return told;
}

function sayAgain(say, { sequence_number, type, ...cut }) {
  say("intervention", cut);
}

function sayStep(say, step) {
  say("step.started", { step: step.id, depth: step.depth, parent: step.parent }, step.started_s);
  const judged = step.sections.find((section) => section.role === "verification");
  for (const section of step.sections) {
    const place = { step: step.id, role: section.role };
    say("section.started", { ...place, name: section.name });
    if (section.text) say("section.delta", { ...place, text: section.text });
    if (section === judged && step.verdict !== null) {
      say("step.verified", { step: step.id, verdict: step.verdict, forced: step.verdict_forced });
    }
    say("section.done", { ...place, text: section.text, num_tokens: section.num_tokens });
  }
}

function sayEnd(say, step, tree) {
  if (step.decision === null && !step.interrupted && step.finished_s === null) return;
  const { id, verdict, repeats, decision, interrupted, num_tokens } = step;
  say("step.done", { step: id, verdict, repeats, decision, interrupted, num_tokens }, step.finished_s);
  if (decision?.type === "backtrack") {
    const to_step = decision.to_depth === 0 ? 0 : destinationOf(tree, step);
    say("backtracked", { from_step: id, to_depth: decision.to_depth, to_step });
  }
}

function sayAnswer(say, trace) {
  if (trace.ended_by !== null) {
    const num_backtracks = trace.steps.filter((step) => step.decision?.type === "backtrack").length;
    const { ended_by, num_reasoning_tokens } = trace;
    say("reasoning.done", { ended_by, num_steps: trace.steps.length, num_backtracks, num_reasoning_tokens });
  }
  if (trace.answer) say("answer.delta", { text: trace.answer });
  trace.tool_calls.forEach((call, index) => {
    say("tool_call.started", { index, id: call.id, name: call.name });
    say("tool_call.delta", { index, arguments: call.arguments });
    say("tool_call.done", { index, ...call });
  });
  if (trace.finish_reason === null) return;
  const { answer: text, num_answer_tokens: num_tokens, finish_reason, tool_calls } = trace;
  if (text || tool_calls.length) say("answer.done", { text, num_tokens, finish_reason, tool_calls });
  const completion_tokens = trace.num_reasoning_tokens + trace.num_answer_tokens;
  say("usage", {
    prompt_tokens: trace.num_prompt_tokens,
    completion_tokens,
    total_tokens: trace.num_prompt_tokens + completion_tokens,
    reasoning_tokens: trace.num_reasoning_tokens,
    answer_tokens: trace.num_answer_tokens,
    forced_tokens: trace.num_forced_tokens,
    cached_tokens: 0,
  });
  say("done", { finish_reason });
}
