// A form with `data-delete` asks first, and deletes the uploaded file before the dataset.
import { complain, messageOf } from "./file_upload.js";

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("[data-delete]");
  if (!form) return;
  event.preventDefault();
  if (!confirm(form.dataset.confirm)) return;
  const problem = document.getElementById("delete-problem");
  problem.hidden = true;
  try {
    const answer = await fetch(`/v1/files/${form.dataset.delete}`, { method: "DELETE" });
    // The file may have been deleted before its dataset.
    if (answer.ok || answer.status === 404) return form.submit();
    complain(problem, messageOf(answer.status, await answer.text()));
  } catch (error) {
    complain(problem, error.message);
  }
});
