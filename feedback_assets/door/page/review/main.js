// One question after the other: ask, answer, be sure that it is stored, go on.

import { Api } from "/review/api.js";
import { History } from "/review/history.js";
import { listen } from "/review/keys.js";
import { newId, Outbox } from "/review/outbox.js";
import { stopwatch } from "/review/stopwatch.js";
import { ofTab } from "/review/storage.js";
import * as view from "/review/view.js";
import { $ } from "/review/view.js";

const LOOK_EVERY_MS = 60_000;
const LOOP = document.body.dataset.loop;
const KIND = document.body.dataset.kind;
const SAW = "feedback-assets:saw:";

const outbox = new Outbox(LOOP);
const api = new Api(LOOP, { trouble: view.trouble, calm: view.calm, signIn });
let annotator = "";
let history;
let task = null;
let busy = true;
let sending = 0;
let clock = stopwatch();
let looking = 0;

async function start() {
  await meet();
  for (const entry of outbox.waiting(annotator)) await deliver(entry);
  const others = outbox.others(annotator);
  if (others.length) {
    view.say(`An answer of ${others.join(" and ")} waits in this browser: sign in under that name to save it.`);
  }
  await next();
}

async function meet() {
  const reply = await api.get("progress");
  annotator = reply.body.annotator;
  // After a crash the tab's own memory is gone; the service still knows the last answer.
  const { last } = reply.body;
  history = new History(LOOP, annotator);
  if (last && history.last?.id !== last) history.add(last, "your last answer");
  view.counts(reply.body);
}

async function next() {
  busy = true;
  const { status, body } = await api.get("next");
  if (status !== 200) return refused(body);
  view.counts(body.progress);
  if (body.task) show(body.task);
  else end(body.progress);
}

function show(asked, before) {
  task = asked;
  clock = stopwatch();
  view.question(task, before);
  if (task.opinion) view.opinion(task.opinion);
  busy = false;
}

function end(progress) {
  task = null;
  busy = false;
  const news = $("done").hidden;
  view.done(progress);
  if (news) $("done-words").focus();
  clearTimeout(looking);
  looking = setTimeout(lookAgain, LOOK_EVERY_MS);
}

function lookAgain() {
  if (!$("done").hidden && !busy && document.visibilityState === "visible") next();
}

// The service knows of no such loop, or another release answers: no retry would help.
function refused(problem) {
  view.only("loading");
  $("loading").textContent = `The service refuses: ${problem.detail ?? "no reason given"}. Reload the page later.`;
}

async function decide(kind, value, words, button) {
  if (busy || !task || $("controls").disabled) return;
  busy = true;
  button?.classList.add("chosen");
  view.enable(false);
  const entry = {
    annotation_id: newId(),
    annotator,
    path: `${encodeURIComponent(task.task_id)}/${kind}`,
    words,
    at: Date.now(),
    body: {
      duration_seconds: clock.seconds(),
      saw_opinion: Boolean(task.opinion) || ofTab.getItem(SAW + task.task_id) !== null,
      note: $("note").value.trim(),
    },
  };
  if (kind === "answer") {
    const sure = document.querySelector("input[name=sure]:checked");
    Object.assign(entry.body, { value }, sure && { confidence: Number(sure.value) });
  }
  outbox.keep(entry);
  view.say(`Saving: ${words}`);
  await deliver(entry);
  await next();
}

// Ends when the service has the answer, or has said why it does not want it.
async function deliver(entry) {
  sending += 1;
  const body = () => ({
    ...entry.body,
    annotation_id: entry.annotation_id,
    waited_seconds: Math.max(0, (Date.now() - entry.at) / 1000),
  });
  const { status, body: said } = await api.post(entry.path, body, `Not saved yet: ${entry.words}`);
  outbox.drop(entry);
  sending -= 1;
  if (status === 200) {
    history.add(entry.annotation_id, entry.words);
    view.say(`Saved: ${entry.words}`);
  } else {
    const why = said.errors?.[0] ?? said;
    view.say(`Not taken: ${entry.words}. ${why.detail ?? "The service refused it"}.`);
  }
}

async function undo() {
  if (busy) return;
  const { last } = history;
  if (!last) return view.say("There is nothing to take back.");
  busy = true;
  const body = () => ({ annotation_id: last.id });
  const reply = await api.post("undo", body, `Not taken back yet: ${last.words}`);
  history.drop();
  if (reply.status !== 200) {
    view.say(`“${last.words}” stands: ${reply.body.detail ?? "the service refused"}.`);
    busy = false;
    return;
  }
  view.say(`Taken back: ${last.words}`);
  view.counts(reply.body.progress);
  show(reply.body.task, last.words);
}

async function opinion() {
  if (busy || !task) return;
  if (!$("opinion").hidden) return view.hideOpinion();
  const asked = task;
  const reply = await api.get(`${encodeURIComponent(asked.task_id)}/opinion`);
  if (asked !== task) return;
  if (reply.status !== 200) return view.say(`No opinion: ${reply.body.detail ?? "the service refused"}.`);
  ofTab.setItem(SAW + asked.task_id, "yes");
  view.opinion(reply.body.opinion, true);
}

function number() {
  const typed = $("number").value.trim();
  const fits = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(typed) && Number.isFinite(Number(typed));
  const hint = typed.includes(",") ? "Write decimals with a point and no separators, as in 1234.5." : "Type a number, as in 12.5.";
  $("number-error").textContent = fits ? "" : hint;
  $("number").setAttribute("aria-invalid", String(!fits));
  if (fits) decide("answer", Number(typed), typed);
}

function choose(button) {
  decide("answer", JSON.parse(button.dataset.value), button.lastElementChild.textContent, button);
}

function action(key) {
  if (key === "?") return () => $("help").showModal();
  if (key === "u") return undo;
  if (!task || $("controls").disabled) return null;
  if (key === "/" && $("filter")) return () => $("filter").focus();
  const button = [...document.querySelectorAll(".choice")].find((one) => one.dataset.keys.includes(key));
  if (button) return () => choose(button);
  return { s: () => decide("skip", null, "skipped"), o: opinion, c: view.sure }[key];
}

function signIn(words) {
  view.only("sign-in");
  const form = $("sign-in");
  const tell = (why) => {
    $("sign-in-error").textContent = why;
    $("sign-in-error").hidden = !why;
    $("token").focus();
  };
  tell(words);
  return new Promise((resolve) => {
    const submit = async (event) => {
      event.preventDefault();
      const before = api.token;
      api.token = $("token").value.trim();
      const reply = await api.once("GET", "progress");
      if (reply?.status === 200) {
        form.removeEventListener("submit", submit);
        form.reset();
        // Another person begins anew; what the first one could not save waits for him.
        if (annotator && reply.body.annotator !== annotator) {
          sending = 0;
          return location.reload();
        }
        if (task) view.only("question", "answers");
        else view.only("loading");
        return resolve();
      }
      api.token = before;
      const denied = { 401: "This token is unknown, revoked or expired.", 403: "This token may not answer questions here: it needs the scope review for this loop." };
      return tell(denied[reply?.status] ?? "The service cannot be reached; try again.");
    };
    form.addEventListener("submit", submit);
  });
}

listen(action);
for (const button of document.querySelectorAll(".choice")) button.addEventListener("click", () => choose(button));
for (const button of document.querySelectorAll(".undo")) button.addEventListener("click", undo);
for (const button of document.querySelectorAll(".ask-help")) button.addEventListener("click", () => $("help").showModal());
$("skip").addEventListener("click", () => decide("skip", null, "skipped"));
$("opinion-button").addEventListener("click", opinion);
$("look").addEventListener("click", lookAgain);
$("leave").addEventListener("click", () => {
  api.token = "";
  location.reload();
});
$("answers").addEventListener("submit", (event) => {
  event.preventDefault();
  if (KIND === "regression") number();
  else if (document.activeElement === $("filter")) {
    const [first] = view.narrow($("filter").value);
    if (first) choose(first);
  }
});
$("filter")?.addEventListener("input", () => view.narrow($("filter").value));
document.addEventListener("visibilitychange", () => {
  clock.turn();
  lookAgain();
});
addEventListener("beforeunload", (event) => {
  if (sending) event.preventDefault();
});
start();
