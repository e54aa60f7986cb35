// Elements made in code. Text goes in as text nodes only, so nothing that a model or a user wrote is ever markup.

const SVG = "http://www.w3.org/2000/svg";

export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") made.addEventListener(name, value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// Model text: set apart from the interface's direction and language, whatever it is written in.
export function quoted(tag, text, attributes = {}) {
  return element(tag, { dir: "auto", ...attributes }, text);
}

export function sign(name, className = "sign") {
  return drawn(
    "svg",
    { class: className, viewBox: "0 0 20 20", "aria-hidden": "true" },
    drawn("use", { href: `#sign-${name}` }),
  );
}
