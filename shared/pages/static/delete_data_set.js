// A form with `data-delete` asks first, and deletes the uploaded file before the data set.
document.addEventListener("submit", async (event) => {
  const form = event.target.closest("[data-delete]");
  if (!form) return;
  event.preventDefault();
  if (!confirm(form.dataset.confirm)) return;
  const problem = document.getElementById("delete-problem");
  problem.hidden = true;
  try {
    const answer = await fetch(`/v1/files/${form.dataset.delete}`, { method: "DELETE" });
    // The file may have been deleted before its data set.
    if (answer.ok || answer.status === 404) return form.submit();
    const found = await answer.json();
    problem.textContent = found.error?.message ?? found.detail ?? `HTTP ${answer.status}`;
  } catch (error) {
    problem.textContent = error.message;
  }
  problem.hidden = false;
});
