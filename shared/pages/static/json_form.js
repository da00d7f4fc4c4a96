// Sends `<form data-json action="/v1/…">` as JSON, once, and shows the API's message at the field that it names.
// A field's `data-json` is its place in the body, such as `metadata.policy`; empty fields are left out. Fields with the
// same place are joined by commas. `data-type="number"` and `"boolean"` convert. `data-then` is the page to go on to,
// with `{id}` for the id of what was made.
import { problemOf } from "./api_problem.js";
import { listening } from "./ready.js";

const sent = new WeakMap();

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-json]");
  if (!form) return;
  event.preventDefault();
  const button = form.querySelector("button:not([type=button])");
  const body = JSON.stringify(contentOf(form));
  // The same content has the same key, so that a repeated submit makes one thing.
  if (sent.get(form)?.body !== body) sent.set(form, { body, key: randomKey() });
  clear(form);
  button.disabled = true;
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": sent.get(form).key },
      body,
    });
    const text = await answer.text();
    if (answer.ok) return location.assign(form.dataset.then.replace("{id}", encodeURIComponent(JSON.parse(text).id)));
    complain(form, problemOf(text) ?? { message: form.dataset.failed });
  } catch {
    complain(form, { message: form.dataset.failed });
  }
  button.disabled = false;
});

function contentOf(form) {
  const content = {};
  for (const field of form.querySelectorAll("[data-json]")) {
    const value = field.type === "checkbox" && !field.checked ? "" : field.value.trim();
    if (value !== "") put(content, field.dataset.json.split("."), converted(value, field.dataset.type));
  }
  return content;
}

function put(content, path, value) {
  const last = path.pop();
  const parent = path.reduce((at, name) => (at[name] ??= {}), content);
  parent[last] = last in parent ? `${parent[last]},${value}` : value;
}

function converted(value, type) {
  if (type === "boolean") return value === "true";
  return type === "number" && Number.isFinite(Number(value)) ? Number(value) : value;
}

function complain(form, { message, param }) {
  const last = param?.split(".").pop();
  const field = param && [...form.elements].find((each) => each.dataset.json === param || each.name === last);
  const place = (field && document.getElementById(field.getAttribute("aria-errormessage"))) ?? form.querySelector("[role=alert]");
  place.textContent = message;
  place.hidden = false;
  field?.setAttribute("aria-invalid", "true");
  (field ?? place).scrollIntoView({ block: "center" });
  field?.focus();
}

function clear(form) {
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  for (const place of form.querySelectorAll("[data-problem]")) place.hidden = true;
}

// `crypto.randomUUID` exists on https alone.
const randomKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
for (const form of document.querySelectorAll("form[data-json]")) listening(form);
