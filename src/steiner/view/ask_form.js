// The form that asks: problem, examples, settings of one run or of two, the key.

import { element } from "./element.js";
import { applyWords, onLanguage, t, language } from "./language.js";
import { RunSettings, labelled } from "./run_settings.js";

const KEY = "steiner-api-key";

export class AskForm {
  // `ask` is told the problem and the bodies of one request or two.
  constructor({ ask, examples }) {
    this.ask = ask;
    this.examples = [];
    this.prompt = element("textarea", { name: "prompt", rows: "4", required: true, dir: "auto" });
    this.example = element("select", { name: "example", change: () => this.#fill() });
    this.key = element("input", {
      type: "password",
      name: "api-key",
      autocomplete: "off",
      value: remembered(),
      change: () => remember(this.key.value),
    });
    this.settings = [new RunSettings("A", []), new RunSettings("B", [])];
    this.compares = element("input", { type: "checkbox", name: "compare", change: () => this.#showSecond() });
    this.error = element("p", { class: "form-error", role: "alert" });
    this.root = element(
      "form",
      { class: "ask", submit: (event) => this.#submit(event) },
      element("h2", { "data-text": "askHeading" }),
      labelled("example", this.example),
      labelled("prompt", this.prompt),
      ...this.settings.map((settings) => settings.root),
      labelled("compare", this.compares, "check"),
      element(
        "details",
        { class: "key" },
        element("summary", { "data-text": "apiKey" }),
        labelled("apiKey", this.key),
        element("p", { class: "quiet", "data-text": "apiKeyHint" }),
      ),
      this.error,
      element("button", { type: "submit", class: "primary", "data-text": "ask" }),
    );
    this.prompt.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.root.requestSubmit();
    });
    this.#showSecond();
    applyWords(this.root);
    onLanguage(() => this.#list());
    examples.then((found) => {
      this.examples = found;
      this.#list();
    });
  }

  offer(models) {
    this.settings.forEach((settings) => settings.offer(models));
  }

  fail(message) {
    this.error.textContent = message;
  }

  askForKey() {
    this.root.querySelector(".key").open = true;
  }

  get keyValue() {
    return this.key.value.trim();
  }

  #submit(event) {
    event.preventDefault();
    this.fail("");
    remember(this.keyValue);
    const messages = [{ role: "user", content: this.prompt.value }];
    const chosen = this.compares.checked ? this.settings : this.settings.slice(0, 1);
    this.ask(
      this.prompt.value,
      chosen.map((settings) => ({ messages, ...settings.body() })),
    );
  }

  #showSecond() {
    this.settings[1].root.hidden = !this.compares.checked;
    this.#name();
  }

  #name() {
    for (const { name, legend } of this.settings) {
      legend.textContent = t("runNamed", { name });
      legend.hidden = !this.compares.checked;
    }
  }

  // Examples in the interface's language first.
  #list() {
    this.#name();
    const chosen = this.example.value;
    const own = this.examples
      .map((example, index) => ({ ...example, index }))
      .filter((one) => one.language === language());
    const groups = Object.groupBy(own, (one) => one.family);
    this.example.replaceChildren(
      element("option", { value: "" }, t("chooseExample")),
      ...Object.entries(groups).map(([family, list]) =>
        element(
          "optgroup",
          { label: t(`family.${family}`) },
          ...list.map(({ size, index }, number) =>
            element(
              "option",
              { value: index },
              t("exampleName", { family: t(`family.${family}`), size, number: number + 1 }),
            ),
          ),
        ),
      ),
    );
    this.example.value = chosen;
    if (this.example.selectedIndex < 0) this.example.value = "";
  }

  #fill() {
    const example = this.examples[this.example.value];
    if (example) this.prompt.value = example.prompt;
  }
}

function remembered() {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

function remember(key) {
  try {
    if (key) sessionStorage.setItem(KEY, key);
    else sessionStorage.removeItem(KEY);
  } catch {
    // Without storage the key lasts as long as the page.
  }
}
