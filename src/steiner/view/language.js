// The interface's language: words by key, with {names} filled in.

import { ENGLISH } from "./words_en.js";
import { JAPANESE } from "./words_ja.js";
import { CHINESE } from "./words_zh.js";

const WORDS = { en: ENGLISH, ja: JAPANESE, zh: CHINESE };
const listeners = [];
let current = "en";

export function t(key, values = {}) {
  const text = WORDS[current][key] ?? ENGLISH[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

export function language() {
  return current;
}

export function onLanguage(listener) {
  listeners.push(listener);
}

export function chooseLanguage(chosen) {
  current = chosen in WORDS ? chosen : "en";
  document.documentElement.lang = current;
  applyWords(document.body);
  listeners.forEach((listener) => listener());
}

export function preferredLanguage() {
  return navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag in WORDS) ?? "en";
}

// Fills elements that name their words: data-text for the text, data-label for what is read out.
export function applyWords(root) {
  for (const part of root.querySelectorAll("[data-text]")) part.textContent = t(part.dataset.text);
  for (const part of root.querySelectorAll("[data-label]"))
    part.setAttribute("aria-label", t(part.dataset.label));
}
