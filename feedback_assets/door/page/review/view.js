// What is on the page. Everything that comes with a row is text, never HTML.

export const $ = (id) => document.getElementById(id);
const LONG = 120;
const DIGITS = 6;
const SETTLE_MS = 120;
const PARTS = ["sign-in", "loading", "question", "answers", "done"];
const labels = JSON.parse(document.body.dataset.words);
const KIND = document.body.dataset.kind;
const texts = new Set(JSON.parse(document.body.dataset.texts));

export function only(...parts) {
  for (const part of PARTS) $(part).hidden = !parts.includes(part);
}

export function say(words) {
  $("status").textContent = words;
}

// What people read for a value of the label.
export function worded(value) {
  return labels[value] ?? String(value);
}

export function counts(progress) {
  const { mine_today: today, left, annotator } = progress;
  $("who").hidden = $("progress").hidden = false;
  $("annotator").textContent = annotator;
  $("leave").hidden = annotator === "anyone"; // a service without tokens knows nobody
  $("today").textContent = today.toLocaleString("en");
  $("left").textContent = left.toLocaleString("en");
  $("bar").max = Math.max(today + left, 1);
  $("bar").value = today;
}

export function question(task, before) {
  only("question", "answers");
  $("reason").textContent = task.reason;
  $("again").hidden = before === undefined;
  if (before !== undefined) $("again").textContent = `Taken back. You had said: ${before}.`;
  $("row-id").textContent = task.prediction_id;
  row(task.row);
  hideOpinion();
  freshAnswer();
  scrollTo(0, 0);
  ($("number") ?? $("asked")).focus({ preventScroll: true });
  // Whoever strikes a key twice does not answer the next question unread.
  setTimeout(() => enable(true), SETTLE_MS);
}

export function enable(on) {
  $("controls").disabled = !on;
  if (on && $("number") && document.activeElement === document.body) $("number").focus();
}

function freshAnswer() {
  enable(false);
  for (const chosen of document.querySelectorAll(".chosen")) chosen.classList.remove("chosen");
  $("answers").reset();
  $("remark").open = false;
  if ($("number")) {
    $("number-error").textContent = "";
    $("number").removeAttribute("aria-invalid");
  }
  if ($("filter")) narrow("");
}

function row(columns) {
  const cells = [];
  const long = [];
  for (const [name, value] of Object.entries(columns)) {
    const prose = typeof value === "string" && (texts.has(name) || value.length > LONG);
    if (prose) long.push(block(name, value));
    else cells.push(pair(name, value));
  }
  $("texts").replaceChildren(...long);
  $("row").replaceChildren(...cells);
  $("row").hidden = cells.length === 0;
}

function block(name, value) {
  const found = element("figure", element("figcaption", name), element("blockquote", value));
  found.lastChild.dir = "auto";
  found.lastChild.tabIndex = 0;
  return found;
}

function pair(name, value) {
  // A long name may break where its parts end.
  const head = element("div", ...name.split(/(?<=[_.-])/).flatMap((part) => [part, element("wbr")]));
  head.setAttribute("role", "rowheader");
  const cell = element("div", ...shown(value));
  cell.setAttribute("role", "cell");
  cell.dir = "auto";
  const line = element("div", head, cell);
  line.setAttribute("role", "row");
  return line;
}

function shown(value) {
  if (value === null || value === "") {
    const dash = element("span", "–");
    dash.setAttribute("aria-hidden", "true");
    const words = element("span", "no value");
    words.className = "unseen";
    return [dash, words];
  }
  return [typeof value === "number" ? number(value) : typeof value === "object" ? JSON.stringify(value) : String(value)];
}

function number(value) {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(DIGITS)));
}

// Asked for, it is brought into sight.
export function opinion(said, asked = false) {
  const { prediction, score, model_version: version, by_class: shares } = said;
  const lines = [element("p", "No model has answered for this row.")];
  if (prediction !== undefined && prediction !== null) {
    const name = version ? ` (model ${version})` : "";
    lines[0].replaceChildren("It says ", element("strong", worded(prediction)), name);
  }
  const bars = Object.entries(shares ?? {}).filter(([, share]) => typeof share === "number");
  for (const [value, share] of bars.sort((one, other) => other[1] - one[1])) {
    const meter = element("meter");
    meter.value = share;
    meter.setAttribute("aria-label", worded(value));
    lines.push(element("div", element("span", worded(value)), meter, element("span", percent(share))));
  }
  if (!bars.length && KIND !== "regression" && typeof score === "number") {
    lines.push(element("p", `Score ${number(score)}`));
  }
  $("opinion").replaceChildren(...lines);
  $("opinion").hidden = false;
  toggled("Hide the model’s opinion", true);
  if (asked) $("opinion").scrollIntoView({ block: "nearest" });
}

export function hideOpinion() {
  $("opinion").hidden = true;
  toggled("Show the model’s opinion", false);
}

function toggled(words, on) {
  $("opinion-button").lastElementChild.textContent = words;
  $("opinion-button").setAttribute("aria-expanded", String(on));
}

export function done(progress) {
  const { mine_today: today, mine, done: answered, open } = progress;
  const none = document.body.dataset.asks === "no" && !open && !answered;
  only("done");
  $("done-words").textContent = none ? "No questions are asked here yet." : "That is all for now. Thank you!";
  const yours = today ? `You answered ${plural(today)} today${mine > today ? `, ${mine} in all` : ""}. ` : "";
  const more = none
    ? "Whoever looks after this loop sets review.per_day in its file."
    : "New questions appear here by themselves.";
  $("done-more").textContent = yours + more;
}

export function plural(count) {
  return count === 1 ? "1 question" : `${count.toLocaleString("en")} questions`;
}

// The next step of low, medium, high, not said.
export function sure() {
  const steps = [...document.querySelectorAll("input[name=sure]")];
  const place = steps.findIndex((step) => step.checked);
  const following = steps[place + 1];
  if (following) following.checked = true;
  else steps[place].checked = false;
  say(following ? `How sure: ${following.dataset.words}` : "How sure: not said");
}

// Classes whose words hold what was typed.
export function narrow(typed) {
  const wanted = typed.trim().toLowerCase();
  const found = [];
  for (const choice of document.querySelectorAll(".choice")) {
    const fits = choice.lastElementChild.textContent.toLowerCase().includes(wanted);
    choice.hidden = !fits;
    if (fits) found.push(choice);
  }
  return found;
}

// Shows why something waits; ends after the seconds, when the network is back, or when asked to.
export function trouble(words, seconds) {
  $("trouble").hidden = false;
  say("");
  if ($("trouble-words").textContent !== words) $("trouble-words").textContent = words;
  return new Promise((resolve) => {
    let left = Math.ceil(seconds);
    const tick = () => {
      $("trouble-count").textContent = `Trying again in ${left} s.`;
      left -= 1;
      if (left < 0) end();
    };
    const timer = setInterval(tick, 1000);
    const end = () => {
      clearInterval(timer);
      removeEventListener("online", end);
      $("again-now").removeEventListener("click", end);
      $("trouble-count").textContent = "Trying …";
      resolve();
    };
    addEventListener("online", end);
    $("again-now").addEventListener("click", end);
    tick();
  });
}

export function calm() {
  $("trouble").hidden = true;
  $("trouble-words").textContent = "";
}

function percent(share) {
  return `${(share * 100).toFixed(1)}%`;
}

function element(name, ...children) {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}
