// Sends a form with a file to /v1/files: resolves to the file, rejects with an Error whose message can be shown.
export function sendFile(data, { key = "", lost, onProgress = () => {}, signal } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/v1/files");
    if (key) request.setRequestHeader("idempotency-key", key);
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => onProgress(event.loaded, event.total));
    request.addEventListener("load", () => {
      if (request.status < 300) return resolve(request.response);
      reject(new Error(refusal(request.response) ?? `HTTP ${request.status}`));
    });
    request.addEventListener("error", () => reject(new Error(lost)));
    request.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
    signal?.addEventListener("abort", () => request.abort());
    request.send(data);
  });
}

// The message of an answer that refuses: OpenAI's form of errors, or problem details.
export const refusal = (answer) => answer?.error?.message ?? answer?.detail;

export const newId = () => [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export const waitingPage = (id) => `/console/ingest/files/${encodeURIComponent(id)}`;

export function complain(element, text) {
  element.textContent = text;
  element.hidden = false;
}
