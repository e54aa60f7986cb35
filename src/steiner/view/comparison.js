// What stands above two runs: where they part, and a way there.

import { element } from "./element.js";
import { t } from "./language.js";
import { partingOf } from "./parting.js";
import { ANSWER } from "./trace_tree.js";

export class Comparison {
  constructor(views) {
    this.views = views;
    this.text = element("span");
    this.button = element("button", { type: "button", "data-text": "showParting", click: () => this.#go() });
    this.root = element("div", { class: "comparison", role: "status" }, this.text, this.button);
    views.forEach((view) => view.run.listen(() => this.show()));
    this.show();
  }

  show() {
    const [a, b] = this.views.map((view) => view.run.fold);
    const parting = partingOf(a, b);
    const text = wordsOf(parting);
    if (this.text.textContent !== text) this.text.textContent = text;
    this.button.textContent = t("showParting");
    this.node = parting === null ? null : parting.kind === "answer" ? ANSWER : parting.number;
    this.button.hidden = this.node === null;
    this.views.forEach((view) => view.tree.markParting(parting?.kind === "step" ? this.node : null));
  }

  #go() {
    this.views.forEach((view) => view.tree.choose(this.node, { focus: true }));
  }
}

function wordsOf(parting) {
  switch (parting?.kind) {
    case "step": {
      const [a, b] = [parting.a, parting.b].map((verdict) => t(`standing.${verdict ?? "no-verdict"}`));
      return t("parting", { number: parting.number, what: t(`part.${parting.what}`, { a, b }) });
    }
    case "longer":
      return t("partingLonger", parting);
    case "answer":
      return t("partingAnswer");
    default:
      return t("noParting");
  }
}
