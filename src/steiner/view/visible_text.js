// Text as it may be shown: nothing in it steers what stands around it. The same as `text_fit.visible` in Python.

const UNFIT = /[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]|[\u202a-\u202e\u2066-\u2069]/gu;

export function visible(text) {
  return text.replace(UNFIT, "\ufffd");
}

// One line of at most so many characters.
export function shortened(text, most) {
  const line = visible(text.slice(0, 4 * most))
    .replace(/\s+/gu, " ")
    .trim();
  const characters = [...line];
  if (characters.length <= most && text.length <= 4 * most) return line;
  return `${characters
    .slice(0, most - 1)
    .join("")
    .trimEnd()}\u2026`;
}
