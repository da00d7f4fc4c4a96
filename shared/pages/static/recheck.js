// Checks a file again: posts `dataset.uploaded` for the same content with other options, and follows the new file.
import { complain, messageOf, newId, waitingPage } from "./file_upload.js";
import { listening } from "./ready.js";
import { optionsOf } from "./upload_options.js";

const form = document.getElementById("recheck");
// Not `form.dataset`: the form has a field of that name.
const upload = JSON.parse(form.getAttribute("data-upload"));

async function check(changes, problem) {
  problem.hidden = true;
  const created = Math.floor(Date.now() / 1000);
  const data = { ...upload, ...changes, file_id: `file-${newId()}`, created_at: created };
  try {
    const answer = await fetch("/v1/events", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ type: "dataset.uploaded", data }),
    });
    if (answer.ok) return location.assign(waitingPage(data.file_id));
    complain(problem, messageOf(answer.status, await answer.text()));
  } catch {
    complain(problem, form.getAttribute("data-lost"));
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const asked = new FormData(form);
  const changes = { options: optionsOf(form), drop_bad_rows: asked.get("on_error") === "drop", dataset: asked.get("dataset") };
  check(changes, document.getElementById("recheck-problem"));
});
document.querySelector("[data-drop]")?.addEventListener("click", () => {
  check({ drop_bad_rows: true }, document.getElementById("drop-problem"));
});
listening(form);
