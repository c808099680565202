"use strict";

const token = document.getElementById("token");

async function send(form) {
  const body = form.querySelector("textarea");
  const headers = {};
  if (token.value.trim()) headers.authorization = `Bearer ${token.value.trim()}`;
  if (body) headers["content-type"] = "application/json";
  const started = performance.now();
  const answer = await fetch(form.dataset.path, {
    method: form.dataset.method,
    headers,
    body: body ? body.value : undefined,
    cache: "no-store",
    credentials: "omit",
  });
  const text = await answer.text();
  const took = Math.round(performance.now() - started);
  return { good: answer.ok, status: `${answer.status} ${answer.statusText} in ${took} ms`, text };
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

// What follows a prediction is about that prediction: its id takes the place of the one before.
function handOn(form, text) {
  const id = JSON.parse(text).prediction_id;
  const section = form.closest("section");
  const before = section.dataset.id || "p-1";
  for (const other of section.querySelectorAll("form[data-path]")) {
    if (other === form) continue;
    other.dataset.path = other.dataset.path.replace(before, id);
    const address = other.querySelector("h3 code");
    address.textContent = address.textContent.replace(before, id);
    const body = other.querySelector("textarea");
    if (body) body.value = body.value.replace(before, id);
  }
  section.dataset.id = id;
}

function show(output, said) {
  const status = document.createElement("p");
  status.className = `status ${said.good ? "good" : "bad"}`;
  status.textContent = said.status;
  const answer = document.createElement("pre");
  answer.tabIndex = 0;
  answer.textContent = pretty(said.text);
  output.replaceChildren(status, answer);
}

document.getElementById("who").addEventListener("submit", (event) => event.preventDefault());

for (const form of document.querySelectorAll("form[data-path]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      const said = await send(form);
      show(form.querySelector("output"), said);
      if (said.good && form.dataset.path.endsWith("/predict")) handOn(form, said.text);
    } catch {
      show(form.querySelector("output"), { good: false, status: "No answer", text: "" });
    } finally {
      button.disabled = false;
    }
  });
}
