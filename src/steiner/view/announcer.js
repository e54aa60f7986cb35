// What a screen reader says of a running search: verdicts, ways back, the answer; never token by token.

import { t } from "./language.js";
import { placeName } from "./card_text.js";
import { shortened } from "./visible_text.js";

const PAUSE_MS = 1000;

export class Announcer {
  constructor(region) {
    this.region = region;
    this.waiting = [];
    this.timer = null;
  }

  say(text) {
    this.waiting.push(text);
    // Of a fast search the last few are enough: what is old news is dropped.
    this.waiting.splice(0, Math.max(0, this.waiting.length - 4));
    this.timer ??= setTimeout(() => {
      this.region.textContent = this.waiting.join(" ");
      this.waiting = [];
      this.timer = null;
    }, PAUSE_MS);
  }

  hear(event, fold) {
    if (event.type === "step.done" && event.verdict !== null) {
      this.say(t("saidVerdict", { number: event.step, verdict: t(`standing.${event.verdict}`) }));
    }
    if (event.type === "backtracked" && fold.steps.has(event.from_step)) {
      this.say(t("saidBack", { place: placeName(fold, fold.steps.get(event.from_step)) }));
    }
    if (event.type === "answer.done") this.say(t("saidAnswer", { text: shortened(event.text, 200) }));
  }
}
