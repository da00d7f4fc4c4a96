// Sends a form with a file to /v1/files: resolves to the file, rejects with an Error whose message can be shown.
import { problemOf } from "./api_problem.js";

export function sendFile(data, { key = "", lost, onProgress = () => {}, signal } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/v1/files");
    if (key) request.setRequestHeader("idempotency-key", key);
    request.upload.addEventListener("progress", (event) => onProgress(event.loaded, event.total));
    request.addEventListener("load", () => {
      if (request.status < 300) return resolve(JSON.parse(request.responseText));
      reject(new Error(messageOf(request.status, request.responseText)));
    });
    request.addEventListener("error", () => reject(new Error(lost)));
    request.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
    signal?.addEventListener("abort", () => request.abort());
    request.send(data);
  });
}

export const messageOf = (status, text) => problemOf(text)?.message ?? `HTTP ${status}`;

export const newId = () => [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export const waitingPage = (id) => `/console/ingest/files/${encodeURIComponent(id)}`;

export function complain(element, text) {
  element.textContent = text;
  element.hidden = false;
}
