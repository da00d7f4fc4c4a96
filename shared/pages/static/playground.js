// Asks one or two models as the page's form says, shows their answers as they arrive, and keeps the code beside it.
import { released } from "./press.js";
import { listening } from "./ready.js";
import { requestAsCurl, requestAsPython } from "./request_code.js";

const page = document.getElementById("play");
const form = document.getElementById("ask-form");
const ask = document.getElementById("ask");
const send = document.getElementById("send");
const sides = [...document.querySelectorAll("[data-side]")];
const blind = page.dataset.mode === "blind";
const histories = sides.map(() => []);
let shown = [];

const modelOf = (index) => document.getElementById(index ? "model-b" : "model-a").value;
const part = (side, name) => side.querySelector(`[data-${name}]`);

function options() {
  const chosen = {};
  const temperature = document.getElementById("temperature").value;
  const tokens = document.getElementById("max-tokens").value;
  if (temperature !== "") chosen.temperature = Number(temperature);
  if (tokens !== "") chosen.max_tokens = Number(tokens);
  const fields = [...document.querySelectorAll("[data-field]")].map((input) => [input.dataset.field, input.value]);
  if (fields.length) chosen.template_fields = Object.fromEntries(fields);
  return chosen;
}

function request(index, question) {
  const messages = [...histories[index], { role: "user", content: question }];
  return { model: modelOf(index), messages, ...options() };
}

function showCode() {
  const asked = request(0, ask.value || "Hello!");
  document.getElementById("code-chat-curl").textContent = requestAsCurl(page.dataset.origin, asked);
  document.getElementById("code-chat-python").textContent = requestAsPython(page.dataset.origin, asked);
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line.startsWith("data: {")) yield JSON.parse(line.slice(6));
  }
}

async function answer(side, index, question) {
  const began = performance.now();
  const asked = request(index, question);
  part(side, "answer").textContent = "";
  part(side, "told").textContent = page.dataset.busy;
  part(side, "version-of").textContent = part(side, "answered").textContent = "";
  part(side, "problem").hidden = true;
  side.hidden = false;
  const response = await fetch("/v1/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...asked, stream: true, stream_options: { include_usage: true } }),
  });
  if (!response.ok) throw new Error((await response.json()).error.message);
  const prompt = JSON.stringify(asked.template_fields ? [] : asked.messages);
  const got = { id: "", model: asked.model, index, prompt, version: response.headers.get("x-assay-version"), text: "" };
  let firstWord = 0;
  let tokens = 0;
  for await (const event of events(response.body)) {
    if (event.error) throw new Error(event.error.message);
    got.id = event.id ?? got.id;
    tokens = event.usage?.completion_tokens ?? tokens;
    const word = event.choices?.[0]?.delta?.content ?? "";
    if (word && !firstWord) firstWord = performance.now() - began;
    got.text += word;
    await released();
    part(side, "answer").textContent = got.text;
  }
  const told = page.dataset.first.replace("%1", (firstWord / 1000).toFixed(2)).replace("%2", tokens);
  part(side, "told").textContent = told;
  histories[index].push({ role: "user", content: question }, { role: "assistant", content: got.text });
  return got;
}

function reveal(side, got) {
  part(side, "answered").textContent = page.dataset.version;
  part(side, "version-of").textContent = got.version;
}

function complain(side, error) {
  part(side, "told").textContent = "";
  const problem = part(side, "problem");
  problem.textContent = error instanceof TypeError ? page.dataset.lost : error.message;
  problem.hidden = false;
}

function say(question) {
  const entry = document.createElement("li");
  const who = document.createElement("b");
  const text = document.createElement("p");
  [who.textContent, text.textContent] = [page.dataset.you, question];
  entry.append(who, text);
  document.getElementById("talk").append(entry);
}

async function askAll(question) {
  // In a blind comparison a side shows either model.
  const order = sides.map((_, index) => index);
  if (blind && crypto.getRandomValues(new Uint8Array(1))[0] % 2) order.reverse();
  const outcomes = await Promise.allSettled(sides.map((side, place) => answer(side, order[place], question)));
  shown = outcomes.map((outcome) => outcome.value);
  outcomes.forEach((outcome, place) => {
    if (outcome.status === "rejected") complain(sides[place], outcome.reason);
    else if (!blind) reveal(sides[place], outcome.value);
  });
  return outcomes.every((outcome) => outcome.status === "fulfilled");
}

async function vote(better) {
  const body = new URLSearchParams({ better });
  shown.forEach((got, place) => {
    body.set(`${"ab"[place]}_id`, got.id);
    body.set(`${"ab"[place]}_model`, got.model);
    body.set(`${"ab"[place]}_text`, got.text);
  });
  const [a, b] = shown;
  if (a.prompt === b.prompt) body.set("prompt", a.prompt);
  const response = await fetch("/console/serve/playground/vote", {
    method: "POST",
    headers: { "hx-request": "true" },
    body,
  });
  document.getElementById("voted").innerHTML = await response.text();
  if (!response.ok) return;
  document.getElementById("vote").hidden = true;
  sides.forEach((side, place) => reveal(side, shown[place]));
  if (better !== "a" && better !== "b") return;
  if (document.querySelector("#voted [data-kept]")) document.getElementById("preferences").hidden = false;
  // Both go on from the better answer, so that the next vote is about answers to the same messages.
  const [chosen, other] = better === "a" ? [a, b] : [b, a];
  histories[other.index].at(-1).content = chosen.text;
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const question = ask.value;
  send.disabled = true;
  if (blind) document.getElementById("voted").replaceChildren();
  const complete = await askAll(question);
  send.disabled = false;
  if (complete) {
    say(question);
    ask.value = "";
    showCode();
  }
  if (blind) document.getElementById("vote").hidden = !complete;
});
form?.addEventListener("input", showCode);
form?.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && event.target === ask) {
    event.preventDefault();
    form.requestSubmit();
  }
});
document.getElementById("vote")?.addEventListener("click", (event) => {
  const button = event.target.closest("[data-better]");
  if (button) vote(button.dataset.better);
});
document.getElementById("anew")?.addEventListener("click", () => location.reload());
if (form) {
  showCode();
  listening(form);
}
