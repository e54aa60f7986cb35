// One node read whole: a step's sections with their tokens, its verdict, decision, interventions and time.

import { element, quoted, sign } from "./element.js";
import { t } from "./language.js";
import { placeName } from "./card_text.js";
import { standingOf } from "./trace_fold.js";
import { ANSWER, PROBLEM, answerParent, parentOf } from "./trace_tree.js";
import { visible } from "./visible_text.js";

const MOST = 20000;

export class StepDetail {
  constructor() {
    this.root = element("section", { class: "detail", tabindex: "-1" });
    this.whole = new Set();
    this.shown = null;
  }

  show(fold, node) {
    if (this.shown !== node) this.whole.clear();
    this.shown = node;
    const children =
      node === PROBLEM ? this.#problem(fold) : node === ANSWER ? this.#answer(fold) : this.#step(fold, node);
    this.root.setAttribute("aria-label", (this.root.dataset.heading = children[0].textContent));
    this.root.replaceChildren(...children);
  }

  #problem(fold) {
    return [element("h3", {}, t("problem")), this.#text(fold, "problem", fold.problem)];
  }

  #answer(fold) {
    const from = answerParent(fold);
    const place =
      from === null ? t("unknownPlace") : from === PROBLEM ? t("problem") : t("step", { number: from });
    return [element("h3", {}, t("answerFrom", { place })), this.#text(fold, "answer", fold.reply)];
  }

  #step(fold, node) {
    const step = fold.steps.get(node);
    if (!step) return [element("p", { class: "quiet" }, t("nothingChosen"))];
    return [
      this.#head(step),
      this.#facts(fold, step),
      ...step.sections.map((section, index) => this.#section(fold, section, index)),
      ...this.#cuts(fold, step),
    ];
  }

  #head(step) {
    const standing = standingOf(step);
    const force = step.verdict_forced ? element("span", { class: "card-forced" }, t("byForce")) : null;
    return element(
      "h3",
      {},
      sign(standing, step.verdict_forced ? "sign forced" : "sign"),
      t("step", { number: step.id }),
      element("span", { class: `card-standing is-${standing}` }, t(`standing.${standing}`)),
      force,
    );
  }

  #facts(fold, step) {
    const parent = parentOf(fold, step);
    const place =
      parent === null ? t("unknownPlace") : parent === PROBLEM ? t("problem") : t("step", { number: parent });
    const facts = [
      t("fromStep", { place }),
      t("tokens", { count: step.open ? step.num_deltas : step.num_tokens }),
    ];
    if (step.finished_s !== null)
      facts.push(t("seconds", { count: (step.finished_s - step.started_s).toFixed(2) }));
    if (step.depth !== null) facts.push(`${t("depth")} ${step.depth}`);
    if (step.repeats !== null) facts.push(t("repeats", { number: step.repeats }));
    else if (step.verdict_forced) facts.push(t("forcedVerdict"));
    if (step.decision?.type === "backtrack") facts.push(t("backTo", { place: placeName(fold, step) }));
    else if (step.decision) facts.push(t(`decision.${step.decision.type}`));
    if (step.decision_forced) facts.push(t("byForce"));
    return element("ul", { class: "facts" }, ...facts.map((fact) => element("li", {}, fact)));
  }

  #section(fold, section, index) {
    const count = section.open
      ? null
      : element("span", { class: "quiet" }, t("tokens", { count: section.num_tokens }));
    return element(
      "div",
      { class: "part", "data-role": section.role },
      element("h4", {}, t(`role.${section.role}`), count),
      this.#text(fold, index, section.text),
    );
  }

  #cuts(fold, step) {
    const cuts = fold.interventions.filter((cut) => cut.step === step.id);
    const violations = fold.violations.filter((violation) => violation.step === step.id);
    return [
      ...cuts.map((cut) =>
        element(
          "p",
          { class: "cut" },
          element("b", {}, t(`cut.${cut.kind}`)),
          " ",
          quoted("span", visible(cut.detail)),
        ),
      ),
      ...violations.map((one) =>
        element(
          "p",
          { class: "cut" },
          element("b", {}, t("violation")),
          " ",
          quoted("span", visible(one.detail)),
        ),
      ),
    ];
  }

  // A text of any length: beyond MOST characters on request.
  #text(fold, key, text) {
    const isCut = text.length > MOST && !this.whole.has(key);
    const body = quoted("div", visible(isCut ? text.slice(0, MOST) : text), { class: "text" });
    if (!isCut) return body;
    const more = element(
      "button",
      {
        type: "button",
        click: () => {
          this.whole.add(key);
          this.show(fold, this.shown);
        },
      },
      t("showAll", { count: text.length.toLocaleString() }),
    );
    return element("div", {}, body, more);
  }
}
