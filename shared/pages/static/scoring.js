// Scores items by keyboard: saves by the API, and shows the next item, which was fetched before it was needed.
import { clock, language } from "./times.js";

const work = document.getElementById("work");
const pages = `/console/review/reviews/${work.dataset.review}`;
const api = `/v1/reviews/${work.dataset.review}`;
const visited = [];
let ahead = null;
let shownAt = performance.now();
let saving = Promise.resolve();
const list = new Intl.ListFormat(language);

const form = () => document.getElementById("scores");
const itemId = () => work.querySelector("[data-item]")?.dataset.item;
const criteria = () => [...work.querySelectorAll("[data-criterion]")];
const chosen = (criterion) => criterion.querySelector("input:checked");
const fetchPage = (path) => fetch(pages + path).then((answer) => (answer.ok ? answer.text() : Promise.reject(answer)));

function prefetch() {
  const skip = itemId();
  ahead = skip ? fetchPage(`/next?skip=${encodeURIComponent(skip)}`).catch(() => null) : null;
}

const unscored = () => criteria().filter((criterion) => !chosen(criterion));

function missing() {
  const labels = unscored().map((each) => each.dataset.label);
  return document.getElementById("save").dataset.missing.replace("#", list.format(labels));
}

function mark() {
  if (!form()) return;
  const [current] = unscored();
  for (const criterion of criteria()) criterion.classList.toggle("on", criterion === current);
  const given = document.getElementById("given");
  given.textContent = given.dataset.words.replace("#", criteria().length - unscored().length);
  const save = document.getElementById("save");
  save.disabled = Boolean(current);
  save.title = current ? missing() : "";
  document.getElementById("unsaved").hidden = true;
}

function show(markup) {
  work.innerHTML = markup;
  shownAt = performance.now();
  mark();
}

function complain(text) {
  const problem = document.getElementById("unsaved");
  problem.textContent = text;
  problem.hidden = false;
}

function filledIn() {
  return {
    scores: Object.fromEntries(criteria().map((each) => [each.dataset.criterion, Number(chosen(each).value)])),
    comment: document.getElementById("comment").value,
    seconds: Math.min((performance.now() - shownAt) / 1000, 3600),
    discuss: document.getElementById("discuss").checked,
  };
}

async function post(id, body, kind) {
  const answer = await fetch(`${api}/items/${encodeURIComponent(id)}/scores`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error((await answer.json()).detail);
  const saved = document.getElementById("saved");
  saved.textContent = `${saved.dataset[kind]} ${clock.format(new Date())}`;
}

async function save() {
  if (unscored().length) return complain(missing());
  await saving;
  const id = itemId();
  const body = filledIn();
  const before = [...work.childNodes];
  // The item after a calibration item depends on its score, so that it is fetched afterwards.
  const practice = work.querySelector("[data-calibration]") !== null;
  const next = practice ? null : await ahead;
  if (next) show(next);
  saving = post(id, body, practice ? "practice" : "answer")
    .then(async () => {
      visited.push(id);
      if (!next) show(await fetchPage("/next"));
      prefetch();
    })
    .catch((error) => {
      work.replaceChildren(...before);
      complain(error instanceof TypeError ? work.dataset.lost : error.message);
    });
}

async function undo() {
  await saving;
  const answer = await fetch(`${api}/undo`, { method: "POST" });
  const undone = answer.ok ? (await answer.json()).item : null;
  if (undone) await open(`/items/${encodeURIComponent(undone.id)}`);
}

async function back() {
  const before = visited.pop();
  if (before) await open(`/items/${encodeURIComponent(before)}`);
}

async function open(path) {
  show(await fetchPage(path));
  prefetch();
}

const typing = (target) => target instanceof Element && target.matches("textarea, input[type=text]");
const commands = {
  r: () => document.getElementById("reference")?.toggleAttribute("open"),
  c: () => document.getElementById("comment")?.focus(),
  u: undo,
  enter: save,
  arrowleft: back,
  arrowright: () => open(itemId() ? `/next?skip=${encodeURIComponent(itemId())}` : "/next"),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !form()) return;
  if (event.key === "Escape") return document.activeElement.blur();
  if (typing(event.target)) return;
  const current = unscored()[0] ?? criteria().at(-1);
  const box = /^\d$/.test(event.key) && current.querySelector(`input[value="${event.key}"]`);
  const command = commands[event.key.toLowerCase()];
  if (!box && !command) return;
  event.preventDefault();
  if (box) {
    box.checked = true;
    mark();
  } else command();
});
work.addEventListener("change", mark);
work.addEventListener("submit", (event) => {
  event.preventDefault();
  save();
});
work.addEventListener("click", (event) => {
  if (event.target.closest("[data-act=undo]")) undo();
});
mark();
prefetch();
