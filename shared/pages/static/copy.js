// A button with `data-copy` copies that text; with `data-copy-from="#id"`, the text of that element.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  const { copy, copyFrom, copied } = button.dataset;
  await navigator.clipboard.writeText(copy ?? document.querySelector(copyFrom).textContent);
  const status = document.getElementById("announcement");
  status.textContent = "";
  status.textContent = copied;
});
