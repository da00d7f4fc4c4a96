// Scores items by keyboard: saves by the API, and shows the next item, which was fetched before it was needed.
const work = document.getElementById("work");
const pages = `/console/review/reviews/${work.dataset.review}`;
const api = `/v1/reviews/${work.dataset.review}`;
const visited = [];
let ahead = null;
let shownAt = performance.now();

const form = () => document.getElementById("scores");
const itemId = () => work.querySelector("[data-item]")?.dataset.item;
const criteria = () => [...work.querySelectorAll("[data-criterion]")];
const chosen = (criterion) => criterion.querySelector("input:checked");
const fetchPage = (path) => fetch(pages + path).then((answer) => (answer.ok ? answer.text() : Promise.reject(answer)));

function prefetch() {
  const skip = itemId();
  ahead = skip ? fetchPage(`/next?skip=${encodeURIComponent(skip)}`).catch(() => null) : null;
}

function mark() {
  const current = criteria().find((criterion) => !chosen(criterion));
  for (const criterion of criteria()) criterion.classList.toggle("on", criterion === current);
}

function show(markup) {
  work.innerHTML = markup;
  shownAt = performance.now();
  mark();
  prefetch();
}

function complain(text) {
  const problem = document.getElementById("problem");
  problem.textContent = text;
  problem.hidden = false;
}

async function save() {
  const points = Object.fromEntries(criteria().map((each) => [each.dataset.criterion, Number(chosen(each)?.value)]));
  if (criteria().some((criterion) => !chosen(criterion))) return mark();
  const id = itemId();
  const body = {
    scores: points,
    comment: document.getElementById("comment").value,
    seconds: Math.min((performance.now() - shownAt) / 1000, 3600),
    discuss: document.getElementById("discuss").checked,
  };
  const next = ahead;
  try {
    const answer = await fetch(`${api}/items/${encodeURIComponent(id)}/scores`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const stored = await answer.json();
    if (!answer.ok) return complain(stored.detail);
    visited.push(id);
    const saved = document.getElementById("saved");
    saved.textContent = `${saved.dataset.word} ${new Date().toLocaleTimeString()}`;
    // After a calibration item the next one depends on this score.
    show((!stored.right_scores && (await next)) || (await fetchPage("/next")));
  } catch {
    complain(work.dataset.lost);
  }
}

async function undo() {
  const answer = await fetch(`${api}/undo`, { method: "POST" });
  const undone = answer.ok ? (await answer.json()).item : null;
  if (undone) show(await fetchPage(`/items/${encodeURIComponent(undone.id)}`));
}

async function back() {
  const before = visited.pop();
  if (before) show(await fetchPage(`/items/${encodeURIComponent(before)}`));
}

const typing = (target) => target instanceof Element && target.matches("textarea, input[type=text]");
const commands = {
  r: () => document.getElementById("reference")?.toggleAttribute("open"),
  c: () => document.getElementById("comment")?.focus(),
  u: undo,
  enter: save,
  arrowleft: back,
  arrowright: async () => show((await ahead) || (await fetchPage("/next"))),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !form()) return;
  if (event.key === "Escape") return document.activeElement.blur();
  if (typing(event.target)) return;
  const current = criteria().find((criterion) => !chosen(criterion)) ?? criteria().at(-1);
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
