// One run on the page: its state and gauges, the tree, the slider, the chosen step and the timeline.

import { element } from "./element.js";
import { exportMenu } from "./exports.js";
import { Gauges } from "./gauges.js";
import { applyWords, t } from "./language.js";
import { Replay } from "./replay.js";
import { TERMINAL } from "./server.js";
import { StepDetail } from "./step_detail.js";
import { Timeline } from "./timeline.js";
import { TreeView } from "./tree_view.js";
import { ANSWER, PROBLEM } from "./trace_tree.js";
import { shortened } from "./visible_text.js";

// A saved tree is shown whole at once, and a live one at its end, unless that would make it too small to read.
const LEGIBLE = 0.4;
// A text that grows twenty times a second is read as well as one that grows sixty times, and frames stay free between.
const PACE_MS = 50;
const STOPPABLE = new Set(["connecting", "loading", "queued", "running", "answering", "reconnecting"]);

export class RunView {
  constructor(name, run, { announcer, linkOf }) {
    this.name = name;
    this.run = run;
    this.announcer = announcer;
    this.linkOf = linkOf;
    this.dirty = new Set();
    this.wantsAll = true;
    this.wantsWhole = run.isSaved;
    this.frame = null;
    this.drawnAt = 0;
    this.chosen = null;
    this.#build();
    run.listen((change) => this.#hear(change));
    this.#schedule();
  }

  #build() {
    this.tree = new TreeView(this.name, (node) => this.choose(node));
    this.tree.onLeave = () => this.#follow(false);
    this.tree.onFold = (node, isFolded) => this.tree.setFolded(this.run.fold, node, isFolded);
    this.tree.onOpen = () => this.detail.root.focus();
    this.gauges = new Gauges();
    this.detail = new StepDetail();
    this.detail.root.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.tree.choose(this.tree.chosen, { focus: true, quiet: true });
    });
    this.timeline = new Timeline((node) => this.tree.choose(node, { focus: true }));
    this.replay = new Replay(this.run);
    this.title = element("h2", { class: "run-title" });
    this.state = element("p", { class: "state" });
    this.stop = element("button", {
      type: "button",
      class: "stop",
      "data-text": "stop",
      click: () => this.run.stop?.(),
    });
    this.problem = element("p", { class: "run-problem", dir: "auto" });
    this.outcome = element("button", {
      type: "button",
      class: "outcome",
      dir: "auto",
      click: () => this.tree.choose(ANSWER, { focus: true }),
    });
    this.root = element(
      "article",
      { class: "run", "data-run": this.name },
      element(
        "header",
        { class: "run-head" },
        this.title,
        this.state,
        this.stop,
        exportMenu(this),
        this.problem,
        this.outcome,
      ),
      this.gauges.root,
      element(
        "div",
        { class: "run-body" },
        element("div", { class: "run-main" }, this.#tools(), this.tree.root, this.replay.root),
        element(
          "div",
          { class: "run-side" },
          this.detail.root,
          element("h3", { class: "side-title", "data-text": "timeline" }),
          this.timeline.root,
        ),
      ),
    );
    applyWords(this.root);
  }

  #tools() {
    const button = (text, click) => element("button", { type: "button", "data-text": text, click });
    this.followBox = element("input", {
      type: "checkbox",
      checked: true,
      change: () => this.#follow(this.followBox.checked),
    });
    const fold = element("input", {
      type: "checkbox",
      change: () => this.tree.foldRefuted(this.run.fold, fold.checked),
    });
    return element(
      "div",
      { class: "tools" },
      button("zoomOut", () => this.tree.zoom(0.8)),
      button("zoomIn", () => this.tree.zoom(1.25)),
      button("fit", () => this.tree.zoomToFit()),
      element("label", {}, this.followBox, element("span", { "data-text": "follow" })),
      element("label", {}, fold, element("span", { "data-text": "foldRefuted" })),
    );
  }

  // Which node's details are shown; null follows the search.
  choose(node) {
    this.chosen = node;
    this.detail.show(this.run.fold, node);
  }

  refresh() {
    this.wantsAll = true;
    this.#schedule();
  }

  #follow(follows) {
    this.tree.follows = follows;
    this.followBox.checked = follows;
    if (follows) {
      this.chosen = null;
      this.#schedule();
    }
  }

  #hear({ event, reset, adopted }) {
    if (reset) this.wantsAll = true;
    // Cards tell no times: for those, a tree of a thousand need not be drawn again.
    if (adopted) [PROBLEM, this.detail.shown].forEach((node) => this.dirty.add(node));
    if (event) {
      const node = event.step ?? event.from_step;
      if (node !== undefined && node !== null) this.dirty.add(node);
      if (event.type.startsWith("answer") || event.type.startsWith("tool_call")) this.dirty.add(ANSWER);
      if (TERMINAL.has(event.type)) this.wantsWhole = this.tree.follows;
      this.announcer.hear(event, this.run.fold);
    }
    this.#schedule();
  }

  #schedule() {
    this.frame ??= requestAnimationFrame((now) => this.#onFrame(now));
  }

  #onFrame(now) {
    this.frame = null;
    if (!this.wantsAll && now - this.drawnAt < PACE_MS) {
      this.#schedule();
    } else {
      this.drawnAt = now;
      this.#draw();
    }
  }

  #draw() {
    const { fold } = this.run;
    const [dirty, all] = [this.dirty, this.wantsAll];
    this.dirty = new Set();
    this.wantsAll = false;
    if (this.wantsWhole) this.tree.zoomToFit(LEGIBLE);
    this.wantsWhole = false;
    this.tree.show(fold, all ? null : dirty);
    this.timeline.show(fold, all ? null : dirty);
    this.gauges.show(fold);
    this.replay.show();
    this.#drawHead(fold);
    const node = this.chosen ?? (fold.reply ? ANSWER : (fold.current ?? PROBLEM));
    if (this.chosen === null) this.tree.choose(node, { quiet: true });
    if (all || dirty.has(node) || this.detail.shown !== node) this.detail.show(fold, node);
  }

  #drawHead(fold) {
    const { run } = this;
    const shown = run.isLive ? run.state : "replay";
    this.root.dataset.state = run.state;
    this.state.dataset.state = run.state;
    setText(this.state, t(`state.${shown}`, { message: run.message }));
    setText(this.title, fold.model ? shortened(fold.model, 60) : t("runNamed", { name: this.name }));
    setText(this.problem, shortened(run.problem, 300));
    this.stop.hidden = !STOPPABLE.has(run.state) || !run.stop;
    const isOver = fold.isOver || fold.reply;
    this.link.hidden = !run.id || !this.linkOf;
    this.outcome.hidden = !isOver;
    if (isOver)
      setText(this.outcome, fold.reply ? `${t("answer")}: ${shortened(fold.reply, 300)}` : t("noAnswer"));
  }
}

function setText(part, text) {
  if (part.textContent !== text) part.textContent = text;
}
