// Shows why an action of htmx failed: the API's message, in a box that stays until it is closed or an action succeeds.
import { problemOf } from "./api_problem.js";

const box = document.getElementById("problem");
const isAction = (ctx) => ctx.request.method !== "GET";

document.addEventListener("htmx:response:error", ({ detail: { ctx } }) => {
  const problem = problemOf(ctx.text);
  // A fragment that failed is an error box in its place; an answer of the API is not for the page.
  if (!problem) return;
  ctx.swap = "none";
  if (ctx.response.status === 401) return;
  box.querySelector("[data-message]").textContent = problem.message;
  box.hidden = false;
});
document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
  if (isAction(ctx) && ctx.response.status < 400) box.hidden = true;
});
box.querySelector("button").addEventListener("click", () => { box.hidden = true; });
