// The page: asks, shows one run or two, opens what was saved, and speaks the reader's language.

import { Announcer } from "./announcer.js";
import { AskForm } from "./ask_form.js";
import { Comparison } from "./comparison.js";
import { chooseLanguage, onLanguage, preferredLanguage, t } from "./language.js";
import { follow } from "./follow.js";
import { ROOT } from "./root.js";
import { Run } from "./run.js";
import { RunView } from "./run_view.js";
import { readSaved, Unreadable } from "./saved_run.js";
import { Server } from "./server.js";
import { visible } from "./visible_text.js";

// As in view.css.
const NARROW = "(max-width: 900px)";
const part = (id) => document.getElementById(id);
const announcer = new Announcer(part("announcer"));
const server = new Server(ROOT, () => form?.keyValue ?? "");
let form = null;
let views = [];
let comparison = null;

function show(runs) {
  views.forEach((view) => view.replay.stop());
  views = runs.map(
    (run, index) => new RunView("AB"[index], run, { announcer, linkOf: ROOT ? linkOf : null }),
  );
  part("runs").replaceChildren(...views.map((view) => view.root));
  part("runs").classList.toggle("compared", views.length > 1);
  comparison = views.length > 1 ? new Comparison(views) : null;
  part("comparison").replaceChildren(...(comparison ? [comparison.root] : []));
}

// A link to what is shown, if a server has it.
function linkOf(run) {
  const others = views.map((view) => view.run).filter((other) => other !== run && other.id);
  const address = new URL(`${ROOT}view/${encodeURIComponent(run.id)}`);
  if (others.length) address.searchParams.set("with", others[0].id);
  return address.href;
}

async function ask(problem, bodies) {
  views.forEach((view) => view.run.abandon?.());
  const runs = bodies.map(() => new Run(problem));
  show(runs);
  runs.forEach((run) => run.enter("connecting"));
  // On a narrow screen the form stands above what it asked for.
  if (matchMedia(NARROW).matches) part("runs").scrollIntoView();
  const address = () => {
    if (runs.every((run) => run.id)) history.replaceState(null, "", linkOf(runs[0]));
  };
  await Promise.all(runs.map((run, index) => follow(server, run, { body: bodies[index], onStart: address })));
  form.fail(runs.map((run) => run.refusal?.message).filter(Boolean)[0] ?? "");
}

function openGenerations(ids) {
  const runs = ids.map(() => new Run());
  show(runs);
  runs.forEach((run, index) => follow(server, run, { id: ids[index] }));
}

async function openFiles(files) {
  const opened = [];
  for (const file of [...files].slice(0, 2)) {
    try {
      opened.push(openSaved(await file.text()));
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      part("notice").textContent = t("unreadable", { file: visible(file.name) });
      return;
    }
  }
  part("notice").textContent = "";
  // One file beside one run is for comparison, where that was asked for.
  const beside =
    opened.length === 1 && form?.compares.checked && views[0]?.run.told.length ? [views[0].run] : [];
  show([...beside, ...opened]);
}

function openSaved(text) {
  const { problem, told, trace } = readSaved(text);
  const run = new Run(problem, { isSaved: true });
  run.addAll(told);
  if (trace) run.adopt(trace);
  const { error, cancelled, isOver } = run.fold;
  const ending = error !== null ? "error" : cancelled ? "cancelled" : isOver ? "done" : "unfinished";
  run.enter(ending, error ?? "");
  return run;
}

function acceptFiles() {
  part("file").addEventListener("change", (event) => openFiles(event.target.files));
  part("open").addEventListener("click", () => part("file").click());
  const body = document.body;
  body.addEventListener("dragover", (event) => {
    event.preventDefault();
    body.classList.add("dropping");
  });
  body.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) body.classList.remove("dropping");
  });
  body.addEventListener("drop", (event) => {
    event.preventDefault();
    body.classList.remove("dropping");
    openFiles(event.dataTransfer.files);
  });
}

function serve() {
  const examples = fetch(`${ROOT}view/assets/examples.json`).then(
    (answer) => answer.json(),
    () => [],
  );
  form = new AskForm({ ask, examples });
  part("form").append(form.root);
  const offer = () =>
    server.models().then(
      (models) => form.offer(models.map((model) => model.id)),
      (error) => {
        if (error.status === 401) form.askForKey();
      },
    );
  offer();
  const address = new URL(location.href);
  const id = /\/view\/([^/]+)$/.exec(address.pathname)?.[1];
  const ids = id ? [decodeURIComponent(id), address.searchParams.get("with")].filter(Boolean) : [];
  const open = () => (ids.length ? openGenerations(ids) : show([new Run()]));
  open();
  form.key.addEventListener("change", () => {
    offer();
    if (views.some((view) => view.run.refusal?.status === 401)) open();
  });
}

function begin() {
  part("language").addEventListener("change", (event) => chooseLanguage(event.target.value));
  onLanguage(() => {
    part("language").value = document.documentElement.lang;
    views.forEach((view) => view.refresh());
    comparison?.show();
  });
  acceptFiles();
  if (ROOT) serve();
  else show([openSaved(part("saved").textContent)]);
  document.querySelector("main").classList.toggle("alone", !ROOT);
  chooseLanguage(preferredLanguage());
}

begin();
