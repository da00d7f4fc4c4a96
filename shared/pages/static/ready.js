// A button with `data-script` is disabled until the script that answers it listens. Pressed before, it would send its form
// as an address, and what was typed would be lost.
export function listening(within) {
  for (const button of within.querySelectorAll("button[data-script]")) button.disabled = false;
}
