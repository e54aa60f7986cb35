// The server's API, as far as the view needs it. The key travels in a header only.

import { EventStreamDecoder } from "./event_stream.js";

export const TERMINAL = new Set(["done", "error", "cancelled"]);
const FIRST_PAUSE_MS = 200;
const MAX_ATTEMPTS = 8;
const POLL_MS = 500;

// The server answered, and said no.
export class Refused extends Error {
  constructor(status, error) {
    super(error?.message ?? `HTTP ${status}`);
    this.status = status;
    this.code = error?.code ?? null;
    this.param = error?.param ?? null;
  }
}

export class Server {
  // `root` is the address of the server's root.
  constructor(root, keyOf) {
    this.root = root;
    this.keyOf = keyOf;
  }

  async models() {
    return (await (await this.#call("v1/models")).json()).data;
  }

  async trace(id) {
    return (await this.#call(`v1/reasoning/${encodeURIComponent(id)}`)).json();
  }

  async cancel(id) {
    await this.#call(`v1/reasoning/${encodeURIComponent(id)}`, { method: "DELETE" });
  }

  // Waits while the model is loaded; `say` is told what is waited for.
  async untilReady(signal, say) {
    for (;;) {
      const answer = await fetch(`${this.root}ready`, { signal, cache: "no-store" });
      if (answer.ok) return;
      const { status } = await answer.json();
      if (status !== "loading") throw new Refused(503, { message: `the server is ${status}` });
      say("loading");
      await pause(POLL_MS, signal);
    }
  }

  // Every event once, in order, through lost connections: `body` begins a generation, `id` follows one.
  async *events({ body = null, id = null, signal, say }) {
    let last = 0;
    let failures = 0;
    for (;;) {
      try {
        const answer = id === null ? await this.#begin(body, signal) : await this.#resume(id, last, signal);
        if (answer.status === 204) return;
        // Known before the first event, for a connection that is lost before it.
        id ??= answer.headers.get("Content-Location")?.split("/").at(-1) ?? null;
        say("connected");
        for await (const event of eventsOf(answer)) {
          if (event.sequence_number <= last) continue;
          last = event.sequence_number;
          failures = 0;
          if (event.type === "reasoning.started") id = event.id;
          yield event;
          if (TERMINAL.has(event.type)) return;
        }
      } catch (error) {
        const passes = error instanceof Refused ? error.status === 503 : error instanceof TypeError;
        if (signal.aborted || !passes || id === null) throw error;
      }
      failures += 1;
      if (failures > MAX_ATTEMPTS) throw new Refused(0, { message: "the connection was lost", code: "lost" });
      say("reconnecting");
      await pause(FIRST_PAUSE_MS * 2 ** (failures - 1), signal);
    }
  }

  #begin(body, signal) {
    const headers = { "Content-Type": "application/json" };
    return this.#call("v1/reasoning", { method: "POST", body: JSON.stringify(body), headers, signal });
  }

  #resume(id, last, signal) {
    const headers = { "Last-Event-ID": String(last) };
    return this.#call(`v1/reasoning/${encodeURIComponent(id)}/events`, { headers, signal });
  }

  async #call(path, options = {}) {
    const key = this.keyOf();
    const headers = key ? { ...options.headers, Authorization: `Bearer ${key}` } : options.headers;
    const answer = await fetch(this.root + path, { ...options, headers, cache: "no-store" });
    if (answer.ok) return answer;
    const told = await answer.json().catch(() => null);
    throw new Refused(answer.status, told?.error);
  }
}

async function* eventsOf(answer) {
  // Read without pipes: a stream that breaks drops what waits in them.
  const [decoder, text] = [new EventStreamDecoder(), new TextDecoder()];
  const reader = answer.body.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      for (const message of decoder.feed(text.decode(value, { stream: true })))
        yield JSON.parse(message.data);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });
}
