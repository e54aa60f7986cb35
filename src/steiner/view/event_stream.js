// Reads a text/event-stream as text arrives (WHATWG HTML standard, "Server-sent events").
// `EventSource` cannot send a key or a body, so the view reads streams with `fetch` and this.

export class EventStreamDecoder {
  #rest = "";
  #event = "";
  #data = [];

  // The messages that this chunk completes: {event, data}.
  feed(chunk) {
    let text = this.#rest + chunk;
    // A carriage return at the end may be half of a line's end.
    const held = text.endsWith("\r") ? "\r" : "";
    text = held ? text.slice(0, -1) : text;
    const lines = text.split(/\r\n|\n|\r/);
    this.#rest = lines.pop() + held;
    const messages = [];
    for (const line of lines) {
      if (line === "") {
        if (this.#data.length)
          messages.push({ event: this.#event || "message", data: this.#data.join("\n") });
        this.#event = "";
        this.#data = [];
      } else {
        this.#field(line);
      }
    }
    return messages;
  }

  #field(line) {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.#event = value;
    if (name === "data") this.#data.push(value);
  }
}
