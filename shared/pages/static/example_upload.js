// A button with `data-example` uploads the file at that address, such as the example, like any other file.
import { complain, sendFile, waitingPage } from "./file_upload.js";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-example]");
  if (!button) return;
  button.disabled = true;
  try {
    const answer = await fetch(button.dataset.example);
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const data = new FormData();
    data.set("purpose", "fine-tune");
    data.set("file", await answer.blob(), button.dataset.name ?? "address-extraction.jsonl");
    location.assign(waitingPage((await sendFile(data, { lost: button.dataset.lost })).id));
  } catch (error) {
    button.disabled = false;
    complain(document.getElementById("upload-problem"), error.message);
  }
});
