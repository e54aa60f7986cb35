// The search as a list that can be read from top to bottom: what was tried, found, refuted, and gone back to.

import { element, quoted, sign } from "./element.js";
import { t } from "./language.js";
import { stepText } from "./card_text.js";
import { answerParent, PROBLEM } from "./trace_tree.js";
import { shortened, visible } from "./visible_text.js";

const LIST_LENGTH = 40;

export class Timeline {
  constructor(select) {
    this.select = select;
    this.root = element("section", { class: "timeline-panel" });
    this.items = new Map();
  }

  clear() {
    this.items.clear();
    this.root.replaceChildren();
  }

  show(fold, dirty = null) {
    if (dirty === null) this.clear();
    for (const node of dirty === null ? fold.steps.keys() : dirty) {
      const step = fold.steps.get(node);
      if (step) this.#put(node, this.#step(fold, step));
    }
    if (fold.reply) this.#put("answer", this.#answer(fold));
    if (fold.endedBy) this.#put("ended", [element("span", { class: "quiet" }, t(`ended.${fold.endedBy}`))]);
    if (fold.error)
      this.#put("error", [element("b", {}, t("state.error", { message: visible(fold.error) }))]);
  }

  #put(key, children) {
    if (!this.items.has(key)) {
      const item = element("li", { "data-key": key });
      // Lists of some length each: one out of sight costs a browser nothing.
      if (this.items.size % LIST_LENGTH === 0) this.root.append(element("ol", { class: "timeline" }));
      this.items.set(key, item);
      this.root.lastChild.append(item);
    }
    this.items.get(key).replaceChildren(...children);
  }

  #step(fold, step) {
    const { head, standing, forced, text, summary, notes } = stepText(fold, step);
    const button = element(
      "button",
      { type: "button", class: "timeline-step", click: () => this.select(step.id) },
      sign(standing, forced ? "sign forced" : "sign"),
      element("b", {}, head),
      " ",
      element("span", { class: `card-standing is-${standing}` }, t(`standing.${standing}`)),
    );
    const said = [text, summary]
      .filter(Boolean)
      .map((line) => quoted("div", line, { class: "timeline-text" }));
    return [button, ...said, ...notes.map((note) => element("div", { class: "card-note" }, note))];
  }

  #answer(fold) {
    const from = answerParent(fold);
    const place =
      from === null ? t("unknownPlace") : from === PROBLEM ? t("problem") : t("step", { number: from });
    return [
      element("b", {}, t("answerFrom", { place })),
      quoted("div", shortened(fold.reply, 2000), { class: "timeline-text" }),
    ];
  }
}
