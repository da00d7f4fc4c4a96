// The upload page: a file is dropped or chosen, sent with its options, and followed on its own page.
import { complain, newId, sendFile, waitingPage } from "./file_upload.js";
import { listening } from "./ready.js";
import { mappingOf } from "./upload_options.js";

const form = document.getElementById("upload");
const drop = document.getElementById("drop");
const file = document.getElementById("file");
const problem = document.getElementById("upload-problem");
const progress = document.getElementById("progress");
const stop = document.getElementById("stop");
const send = document.getElementById("send");
let key = newId();

// The same form sent again is the same upload; a changed one is another.
form.addEventListener("change", () => { key = newId(); });
for (const name of ["dragenter", "dragover"]) {
  addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add("on");
  });
}
addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("on"); });
addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("on");
  if (!event.dataTransfer?.files.length) return;
  file.files = event.dataTransfer.files;
  file.dispatchEvent(new Event("change", { bubbles: true }));
});

const show = (busy) => {
  progress.hidden = stop.hidden = !busy;
  send.hidden = busy;
};

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.hidden = true;
  const data = new FormData(form);
  const mapping = mappingOf(form);
  if (Object.keys(mapping).length) data.set("mapping", JSON.stringify(mapping));
  const abort = new AbortController();
  stop.onclick = () => abort.abort();
  // Not `form.dataset`: the form has a field of that name.
  const lost = form.getAttribute("data-lost");
  const onProgress = (sent, total) => {
    progress.querySelector("progress").value = sent / total;
    progress.querySelector("[data-sent]").textContent = `${(sent / 1e6).toFixed(1)} / ${(total / 1e6).toFixed(1)} MB`;
  };
  progress.querySelector("[data-name]").textContent = file.files[0].name;
  show(true);
  try {
    const stored = await sendFile(data, { key, lost, onProgress, signal: abort.signal });
    location.assign(waitingPage(stored.id));
  } catch (error) {
    show(false);
    if (error.name !== "AbortError") complain(problem, error.message);
  }
});
listening(form);
