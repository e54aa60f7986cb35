// SVG as text: every value and every text escaped, and what cannot be shown made visible.

import { visible } from "./visible_text.js";

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

export function escaped(text) {
  return visible(String(text)).replace(/[&<>"]/g, (character) => ENTITIES[character]);
}

// An element; `content` is markup already.
export function tag(name, attributes, ...content) {
  const given = Object.entries(attributes).filter(([, value]) => value !== null);
  const written = given.map(([key, value]) => ` ${key}="${escaped(value)}"`).join("");
  return content.length ? `<${name}${written}>${content.join("")}</${name}>` : `<${name}${written}/>`;
}
