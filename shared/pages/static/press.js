// While a button, link or box is held down, nothing on the page moves: a click counts only where press and release meet.
const PRESSED = "button, a, summary, label, input";
// A release outside the window may never be told.
const LONGEST_MS = 5000;
let over = Promise.resolve();
let end = () => {};

document.addEventListener("pointerdown", ({ target }) => {
  if (!target.closest(PRESSED)) return;
  end();
  over = new Promise((resolve) => { end = resolve; });
  setTimeout(end, LONGEST_MS);
}, true);
// The click itself comes after the release.
for (const name of ["pointerup", "pointercancel"]) document.addEventListener(name, () => setTimeout(end), true);

// Resolves once nothing is held down.
export const released = () => over;

// Answers and messages of htmx wait as well.
document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
  const { fetch } = ctx;
  ctx.fetch = async (...request) => {
    const answer = await fetch(...request);
    await released();
    return answer;
  };
});
document.addEventListener("htmx:sse:before:message", ({ detail }) => detail.waitUntil(released()));
