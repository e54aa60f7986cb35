// A run that a server makes: begun or found, followed to its end through lost connections, stopped.

import { Refused } from "./server.js";

const STATES = {
  "reasoning.started": "queued",
  "step.started": "running",
  "reasoning.done": "answering",
  done: "done",
  cancelled: "cancelled",
};

// `body` begins a generation, `id` follows one. Ends when the generation does; what goes wrong is told by the run.
export async function follow(server, run, { body = null, id = null, onStart = () => {} }) {
  const aborter = new AbortController();
  const { signal } = aborter;
  run.abandon = () => aborter.abort();
  run.stop = () => stop(server, run, aborter);
  const say = (news) => {
    if (news === "connected") run.enter(stateOf(run));
    else run.enter(news);
  };
  try {
    if (body) await server.untilReady(signal, say);
    else await adopt(server, run, id);
    let began = performance.now();
    const isFresh = body !== null;
    for await (const event of server.events({ body, id, signal, say })) {
      if (event.type === "reasoning.started") began = performance.now();
      run.add(event, isFresh ? (performance.now() - began) / 1000 : null);
      if (event.type in STATES)
        run.enter(event.type === "done" && event.finish_reason === "length" ? "length" : STATES[event.type]);
      if (event.type === "error") run.enter("error", event.message);
      if (event.type === "reasoning.started") onStart();
    }
    run.stop = null;
    if (run.id) await adopt(server, run, run.id);
  } catch (error) {
    run.stop = null;
    if (signal.aborted) {
      run.enter("cancelled");
    } else {
      run.refusal = error;
      run.enter("error", error.message);
    }
  }
}

async function adopt(server, run, id) {
  try {
    run.adopt(await server.trace(id));
  } catch (error) {
    // Its events may still be there, or say themselves why not.
    if (!(error instanceof Refused)) throw error;
  }
}

async function stop(server, run, aborter) {
  if (!run.id) {
    aborter.abort();
    return;
  }
  run.enter("stopping");
  await server.cancel(run.id);
}

function stateOf(run) {
  const { fold } = run;
  if (fold.endedBy !== null || fold.reply) return "answering";
  return fold.steps.size ? "running" : "queued";
}
