// The slider over what happened, and its player.

import { element } from "./element.js";
import { t } from "./language.js";

const STEP_MS = 350;

export class Replay {
  constructor(run) {
    this.run = run;
    this.timer = null;
    this.slider = element("input", {
      type: "range",
      min: "0",
      max: "0",
      step: "1",
      "data-label": "position",
      input: () => this.#seek(this.slider.valueAsNumber),
    });
    this.player = element("button", { type: "button", class: "player", click: () => this.#toggle() });
    this.toEnd = element("button", {
      type: "button",
      "data-text": "toEnd",
      click: () => this.#seek(this.run.moments.length - 1),
    });
    this.root = element(
      "div",
      { class: "replay", role: "group", "data-label": "replay" },
      this.player,
      this.slider,
      this.toEnd,
    );
  }

  show() {
    const { moments, position } = this.run;
    this.slider.max = String(moments.length - 1);
    const at = this.run.isLive ? moments.length - 1 : moments.findLastIndex((moment) => moment <= position);
    this.slider.value = String(at);
    this.slider.setAttribute("aria-valuetext", `${at} / ${moments.length - 1}`);
    this.toEnd.disabled = this.run.isLive;
    this.player.textContent = t(this.timer === null ? "play" : "pause");
    this.root.hidden = moments.length < 2;
  }

  #seek(moment) {
    const { moments, told } = this.run;
    // The last stop is the end, wherever a stream that still runs has come to.
    this.run.seek(moment >= moments.length - 1 ? told.length : moments[moment]);
  }

  #toggle() {
    if (this.timer !== null) {
      this.stop();
    } else {
      if (this.run.isLive) this.#seek(0);
      this.timer = setInterval(() => this.#next(), STEP_MS);
    }
    this.show();
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
  }

  #next() {
    const at = this.slider.valueAsNumber + 1;
    this.#seek(at);
    if (at >= this.run.moments.length - 1) this.stop();
    this.show();
  }
}
