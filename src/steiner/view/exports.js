// What can be saved of a run: SVG, PNG, JSON, Mermaid, and a page that needs no server.

import { element } from "./element.js";
import { t } from "./language.js";
import { mermaidOf } from "./mermaid.js";
import { ROOT } from "./root.js";
import { svgOf } from "./svg_picture.js";

const MAX_PIXELS = 16000;

export function exportMenu(view) {
  const kinds = { SVG: saveSvg, PNG: savePng, JSON: saveJson, Mermaid: saveMermaid, HTML: saveHtml };
  const buttons = Object.entries(kinds).map(([kind, save]) =>
    element("button", { type: "button", "data-export": kind, click: () => save(view.run) }, kind),
  );
  view.link = element("button", { type: "button", "data-text": "copyLink", click: () => copyLink(view) });
  return element(
    "div",
    { class: "exports", role: "group", "data-label": "export" },
    element("span", { class: "quiet", "data-text": "export" }),
    ...buttons,
    view.link,
  );
}

function saveSvg(run) {
  offer(run, "svg", "image/svg+xml", svgOf(run.fold));
}

function saveJson(run) {
  offer(run, "json", "application/json", `${JSON.stringify(run.trace(), null, 2)}\n`);
}

function saveMermaid(run) {
  offer(run, "mmd", "text/plain", mermaidOf(run.fold));
}

async function savePng(run) {
  const source = URL.createObjectURL(new Blob([svgOf(run.fold)], { type: "image/svg+xml" }));
  const picture = new Image();
  picture.src = source;
  await picture.decode();
  const scale = Math.min(2, MAX_PIXELS / Math.max(picture.width, picture.height));
  const canvas = element("canvas", {
    width: Math.ceil(picture.width * scale),
    height: Math.ceil(picture.height * scale),
  });
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(source);
  canvas.toBlob((blob) => offerBlob(run, "png", blob), "image/png");
}

// The page as one file, with this run put into it as data.
async function saveHtml(run) {
  const page = ROOT ? await (await fetch(`${ROOT}view/assets/standalone.html`)).text() : pageItself;
  const saved = { problem: run.problem, trace: run.trace(), events: run.told.map(({ event }) => event) };
  const data = JSON.stringify(saved).replace(/</g, "\\u003c");
  const opening = '<script type="application/json" id="saved">';
  offer(
    run,
    "html",
    "text/html",
    page.replace(new RegExp(`${opening}[^<]*<`), () => `${opening}${data}<`),
  );
}

// Taken before anything is drawn: what a saved page saves is the page as it was opened.
const pageItself = `<!doctype html>\n${document.documentElement.outerHTML}`;

async function copyLink(view) {
  await navigator.clipboard.writeText(view.linkOf(view.run));
  view.link.textContent = t("copied");
}

function offer(run, ending, type, text) {
  offerBlob(run, ending, new Blob([text], { type: `${type};charset=utf-8` }));
}

function offerBlob(run, ending, blob) {
  const address = URL.createObjectURL(blob);
  element("a", { href: address, download: `${run.id || "trace"}.${ending}` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}
