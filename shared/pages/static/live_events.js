// Shows events as they happen. The stream is closed while the tab is hidden and goes on where it stopped.
import { released } from "./press.js";

const list = document.getElementById("events");
const state = document.getElementById("stream-state");
const SHOWN = 200;
const AGAIN_MS = 3000;
let lastId = "";
let stream = null;

function address() {
  const query = new URLSearchParams();
  if (list.dataset.type) query.set("type", list.dataset.type);
  if (list.dataset.job) query.set("job_id", list.dataset.job);
  return `/v1/events?${query}`;
}

function row(event) {
  const entry = document.createElement("li");
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  const content = document.createElement("pre");
  const at = document.createElement("time");
  at.dateTime = event.time;
  at.textContent = new Date(event.time).toLocaleTimeString();
  summary.append(at, ` ${event.type} ${event.subject ?? ""}`);
  content.className = "pre";
  content.textContent = JSON.stringify(event, null, 2);
  details.append(summary, content);
  entry.append(details);
  return entry;
}

function show(block) {
  const fields = block.split("\n").map((line) => line.split(/: ?(.*)/s));
  const data = fields.filter(([name]) => name === "data").map(([, value]) => value).join("\n");
  lastId = fields.find(([name]) => name === "id")?.[1] ?? lastId;
  if (!data) return;
  list.prepend(row(JSON.parse(data)));
  document.getElementById("nothing").hidden = true;
  while (list.children.length > SHOWN) list.lastChild.remove();
}

async function read(signal) {
  const headers = lastId ? { "last-event-id": lastId } : {};
  const answer = await fetch(address(), { headers, signal });
  if (!answer.ok) {
    state.textContent = `${state.dataset.refused} ${(await answer.json()).error.message}`;
    return;
  }
  state.textContent = state.dataset.open;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const blocks = (rest + value.replaceAll("\r", "")).split("\n\n");
    rest = blocks.pop();
    await released();
    blocks.forEach(show);
  }
  state.textContent = state.dataset.closed;
}

async function follow() {
  stream?.abort();
  const mine = (stream = new AbortController());
  while (!document.hidden && stream === mine) {
    await read(mine.signal).catch(() => {
      if (!mine.signal.aborted) state.textContent = state.dataset.closed;
    });
    if (mine.signal.aborted) return;
    await new Promise((wake) => setTimeout(wake, AGAIN_MS));
  }
}

document.addEventListener("visibilitychange", () => (document.hidden ? stream?.abort() : follow()));
follow();
