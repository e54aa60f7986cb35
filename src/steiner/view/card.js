// The box of a node on the page.

import { element, sign } from "./element.js";
import { t } from "./language.js";
import { stepText } from "./card_text.js";
import { ANSWER, PROBLEM } from "./trace_tree.js";
import { shortened } from "./visible_text.js";

const MOST = 400;

export class Card {
  constructor(node, idPrefix) {
    this.node = node;
    this.text = element("div", { class: "card-text", dir: "auto" });
    this.notes = element("div", { class: "card-notes" });
    this.head = element("div", { class: "card-head" });
    this.root = element(
      "div",
      {
        class: "card",
        role: "treeitem",
        tabindex: "-1",
        id: `${idPrefix}${node}`,
        "data-node": node,
        "aria-selected": "false",
      },
      this.head,
      this.text,
      this.notes,
    );
    this.shownHead = "";
  }

  showProblem(fold) {
    this.#head("problem", t("problem"), null);
    this.text.textContent = shortened(fold.problem, MOST);
    this.root.classList.add("card-problem");
  }

  showAnswer(fold) {
    this.#head("answer", t("answer"), null);
    this.text.textContent = shortened(fold.reply, MOST);
    this.root.classList.add("card-answer");
  }

  showStep(fold, step) {
    const { head, standing, forced, text, summary, notes } = stepText(fold, step);
    this.#head(`${standing} ${forced} ${head}`, head, standing, forced);
    this.text.textContent = text;
    this.root.dataset.standing = standing;
    const lines = summary ? [summary, ...notes] : notes;
    const shown = lines.join("\n");
    if (this.notes.dataset.shown !== shown) {
      this.notes.dataset.shown = shown;
      this.notes.replaceChildren(
        ...lines.map((line, index) =>
          element("div", { class: index === 0 && summary ? "card-summary" : "card-note", dir: "auto" }, line),
        ),
      );
    }
  }

  show(fold) {
    if (this.node === PROBLEM) this.showProblem(fold);
    else if (this.node === ANSWER) this.showAnswer(fold);
    else this.showStep(fold, fold.steps.get(this.node));
  }

  // The head changes once or twice in a step's life: between, its elements stay.
  #head(key, text, standing, forced = false) {
    const shown = `${key} ${text}`;
    if (shown === this.shownHead) return;
    this.shownHead = shown;
    this.head.replaceChildren(
      ...(standing ? [sign(standing, forced ? "sign forced" : "sign")] : []),
      element("b", {}, text),
      ...(standing ? [element("span", { class: "card-standing" }, t(`standing.${standing}`))] : []),
      ...(forced ? [element("span", { class: "card-forced" }, t("byForce"))] : []),
    );
  }
}
