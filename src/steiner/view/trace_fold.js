// The trace that a stream of events tells of, event by event. Field names are those of the trace's JSON.
// The same as `TraceFold` in Python, with what a live view wants besides: times, and texts that still grow.

export const EMPTY_STEP = {
  sections: [],
  verdict: null,
  verdict_forced: false,
  repeats: null,
  decision: null,
  decision_forced: false,
  interrupted: false,
  num_tokens: 0,
  started_s: 0,
  finished_s: null,
};

export class TraceFold {
  constructor(problem = "") {
    this.problem = problem;
    this.id = "";
    this.model = "";
    this.protocol = "";
    this.policy = null;
    this.steps = new Map();
    this.current = null;
    this.answer = "";
    this.toolCalls = [];
    this.openCall = null;
    this.interventions = [];
    this.violations = [];
    this.endedBy = null;
    this.finishReason = null;
    this.usage = null;
    this.numReasoningTokens = null;
    this.numAnswerTokens = 0;
    this.numBacktracks = 0;
    this.numDeltas = 0;
    this.error = null;
    this.cancelled = false;
    this.isOver = false;
  }

  // `time`: seconds since the generation began, where that is known.
  take(event, time = null) {
    const step = this.steps.get(event.step);
    switch (event.type) {
      case "reasoning.started":
        Object.assign(this, {
          id: event.id,
          model: event.model,
          protocol: event.protocol,
          policy: event.policy,
        });
        break;
      case "step.started":
        this.#begin(event, time);
        break;
      case "section.started":
        step.sections.push({ role: event.role, name: event.name, text: "", num_tokens: 0, open: true });
        break;
      case "section.delta":
        step.sections.at(-1).text += event.text;
        step.num_deltas += 1;
        this.numDeltas += 1;
        break;
      case "section.done":
        Object.assign(step.sections.at(-1), { text: event.text, num_tokens: event.num_tokens, open: false });
        break;
      case "step.verified":
        Object.assign(step, { verdict: event.verdict, verdict_forced: event.forced });
        break;
      case "step.done":
        this.#finish(step, event, time);
        break;
      case "backtracked":
        if (this.steps.has(event.from_step)) this.steps.get(event.from_step).back_to = event.to_step;
        break;
      case "intervention":
        this.interventions.push(event);
        break;
      case "violation":
        this.violations.push({ ...event, step: this.current });
        break;
      case "reasoning.done":
        Object.assign(this, { endedBy: event.ended_by, numReasoningTokens: event.num_reasoning_tokens });
        break;
      default:
        this.#takeAnswer(event);
    }
  }

  #begin(event, time) {
    this.steps.set(event.step, {
      id: event.step,
      depth: event.depth,
      parent: event.parent,
      ...EMPTY_STEP,
      sections: [],
      started_s: time ?? 0,
      num_deltas: 0,
      open: true,
    });
    this.current = event.step;
  }

  #finish(step, event, time) {
    const { verdict, repeats, decision, interrupted, num_tokens } = event;
    Object.assign(step, {
      verdict,
      repeats,
      decision,
      interrupted,
      num_tokens,
      finished_s: time,
      open: false,
    });
    if (decision?.type === "backtrack") this.numBacktracks += 1;
  }

  #takeAnswer(event) {
    switch (event.type) {
      case "answer.delta":
        this.answer += event.text;
        break;
      case "tool_call.started":
        this.openCall = { id: event.id, name: event.name, arguments: "" };
        break;
      case "tool_call.delta":
        this.openCall.arguments += event.arguments;
        break;
      case "tool_call.done":
        this.toolCalls.push({ id: event.id, name: event.name, arguments: event.arguments });
        this.openCall = null;
        break;
      case "answer.done":
        Object.assign(this, {
          answer: event.text,
          numAnswerTokens: event.num_tokens,
          finishReason: event.finish_reason,
        });
        break;
      case "usage":
        this.usage = event;
        break;
      case "done":
        this.finishReason = event.finish_reason;
        this.#end();
        break;
      case "error":
        this.error = event.message;
        this.#end();
        break;
      case "cancelled":
        this.cancelled = true;
        this.#end();
        break;
    }
  }

  #end() {
    this.isOver = true;
    this.close();
  }

  // Nothing follows: what is open stays as it is.
  close() {
    const last = this.steps.get(this.current);
    if (last) last.open = false;
  }

  // The answer's text and its calls, as a person writes them.
  get reply() {
    const calls = [...this.toolCalls, ...(this.openCall ? [this.openCall] : [])];
    return [this.answer, ...calls.map((call) => `${call.name}(${call.arguments})`)]
      .filter(Boolean)
      .join("\n");
  }

  // Tokens of the reasoning so far; an open step's are counted by its deltas until it says.
  get numTokens() {
    if (this.numReasoningTokens !== null) return this.numReasoningTokens;
    let sum = 0;
    for (const step of this.steps.values()) sum += step.open ? step.num_deltas : step.num_tokens;
    return sum;
  }

  // The JSON of a trace (docs/schemas/trace.json).
  trace() {
    const steps = [...this.steps.values()].map(({ num_deltas, open, back_to, sections, ...step }) => ({
      ...step,
      sections: sections.map(({ open: _, ...section }) => section),
    }));
    const forced = this.interventions.reduce((sum, cut) => sum + cut.num_forced_tokens, 0);
    return {
      id: this.id,
      model: this.model,
      protocol: this.protocol,
      problem: this.problem,
      steps,
      answer: this.answer,
      tool_calls: this.toolCalls,
      ended_by: this.endedBy,
      finish_reason: this.finishReason,
      num_prompt_tokens: this.usage?.prompt_tokens ?? 0,
      num_reasoning_tokens: this.usage?.reasoning_tokens ?? this.numReasoningTokens ?? 0,
      num_answer_tokens: this.usage?.answer_tokens ?? this.numAnswerTokens,
      num_forced_tokens: this.usage?.forced_tokens ?? forced,
      num_violations: this.violations.length,
      interventions: this.interventions,
    };
  }
}

export function textOf(step, role) {
  return step.sections.find((section) => section.role === role)?.text ?? "";
}

// How a step stands: its verdict, or why it has none.
export function standingOf(step) {
  if (step.verdict !== null) return step.verdict;
  if (step.interrupted) return "interrupted";
  return step.open ? "open" : "no-verdict";
}
