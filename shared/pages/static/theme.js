// Switches between dark and light. The choice is a cookie, so that the server draws the next page in that theme.
document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-theme-switch]")) return;
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const theme = (root.dataset.theme || system) === "dark" ? "light" : "dark";
  root.dataset.theme = theme;
  document.cookie = `assay_theme=${theme}; path=/; max-age=31536000; samesite=strict`;
});
