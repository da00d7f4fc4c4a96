// Tells what the gateway knows of a file that is being checked: name, size, or that there is no such file.
const waiting = document.getElementById("waiting");
const url = `/v1/files/${encodeURIComponent(waiting.dataset.file)}`;
const ASKED = 8;

function end(name) {
  document.getElementById("state").remove();
  waiting.querySelector(name).hidden = false;
}

async function look(left) {
  const answer = await fetch(url).catch(() => null);
  const file = answer?.ok ? await answer.json() : null;
  if (file) {
    document.getElementById("file-name").textContent = file.filename;
    const at = new Date(file.created_at * 1000).toLocaleTimeString();
    document.getElementById("file-facts").textContent = `${(file.bytes / 1e6).toFixed(2)} MB, ${waiting.dataset.uploaded} ${at}`;
    if (file.status === "uploaded") return;
  }
  // The gateway learns of a posted file a moment later, and the page learns of a dataset a moment later.
  if (left > 0) return setTimeout(look, 1000, left - 1);
  if (file) end("[data-deleted]");
  else if (answer?.status === 404) end("[data-missing]");
}

look(ASKED);
