// The settings of one run in the form: effort, single limits, verifier, constraint, temperature.

import { element } from "./element.js";

const EFFORTS = ["none", "minimal", "low", "medium", "high"];
const LIMITS = ["max_steps", "max_depth", "max_backtracks", "max_reasoning_tokens"];

export class RunSettings {
  constructor(name, models) {
    this.name = name;
    this.model = element("select", { name: `model-${name}` });
    this.offer(models);
    this.effort = element(
      "select",
      { name: `effort-${name}` },
      element("option", { value: "", "data-text": "effortDefault" }),
      ...EFFORTS.map((effort) => element("option", { value: effort }, effort)),
    );
    this.limits = new Map(
      LIMITS.map((limit) => [
        limit,
        element("input", {
          type: "number",
          min: "0",
          step: "1",
          inputmode: "numeric",
          name: `${limit}-${name}`,
        }),
      ]),
    );
    this.verifier = element("input", { type: "checkbox", name: `verifier-${name}` });
    this.constrained = element("input", { type: "checkbox", checked: true, name: `constrained-${name}` });
    this.temperature = element("input", {
      type: "number",
      min: "0",
      max: "2",
      step: "0.1",
      name: `temperature-${name}`,
    });
    this.root = element(
      "fieldset",
      { class: "settings", "data-settings": name },
      element("legend", {}),
      labelled("model", this.model),
      labelled("effort", this.effort),
      element(
        "details",
        {},
        element("summary", { "data-text": "limits" }),
        ...[...this.limits].map(([limit, input]) => labelled(limit, input)),
        labelled("temperature", this.temperature),
      ),
      labelled("verifier", this.verifier, "check"),
      labelled("constrained", this.constrained, "check"),
    );
    this.legend = this.root.firstChild;
  }

  offer(models) {
    this.model.replaceChildren(...models.map((model) => element("option", { value: model }, model)));
  }

  // Fields of the request's body; what is left alone is left to the server.
  body() {
    const reasoning = {};
    for (const [limit, input] of this.limits) if (input.value !== "") reasoning[limit] = input.valueAsNumber;
    if (this.verifier.checked) reasoning.verifier = "auto";
    if (!this.constrained.checked) reasoning.constrained = false;
    const body = {};
    if (this.model.value) body.model = this.model.value;
    if (this.effort.value) body.reasoning_effort = this.effort.value;
    if (this.temperature.value !== "") body.temperature = this.temperature.valueAsNumber;
    if (Object.keys(reasoning).length) body.reasoning = reasoning;
    return body;
  }
}

export function labelled(key, input, className = "field") {
  return element("label", { class: className }, element("span", { "data-text": key }), input);
}
