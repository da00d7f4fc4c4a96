// Sends an adjudicator's decision and shows the page as it then is.
import { listening } from "./ready.js";

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("[data-decide]");
  if (!form) return;
  event.preventDefault();
  const { reason, ...scores } = Object.fromEntries(new FormData(form));
  // An empty choice stays empty: as a number it would be 0, which is a score on some scales.
  for (const name of Object.keys(scores)) scores[name] = scores[name] === "" ? null : Number(scores[name]);
  const answer = await fetch(form.dataset.decide, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ scores, reason }),
  });
  if (answer.ok) return location.reload();
  const problem = form.querySelector("[role=alert]");
  problem.textContent = (await answer.json()).detail;
  problem.hidden = false;
});
for (const form of document.querySelectorAll("[data-decide]")) listening(form);
