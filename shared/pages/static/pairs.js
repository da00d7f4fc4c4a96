// Compares two answers by keyboard: A, B, and E for equal; C begins the comment, Escape leaves it, U goes back.
const form = document.querySelector("form[data-pair]");
const votes = { a: "left", b: "right", e: "tie" };

document.addEventListener("keydown", (event) => {
  if (!form || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") return document.activeElement.blur();
  if (event.target instanceof Element && event.target.matches("textarea, input")) return;
  const vote = votes[event.key.toLowerCase()];
  if (vote) form.querySelector(`button[value="${vote}"]`).click();
  if (event.key.toLowerCase() === "u") document.querySelector("[data-again]")?.click();
  if (event.key.toLowerCase() === "c") {
    event.preventDefault();
    document.getElementById("comment").focus();
  }
});
