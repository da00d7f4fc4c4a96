// Says what is wrong with the connection: no server, a service that is away, or a session that has ended.
const boxes = ["lost", "away", "signed-out"].map((id) => document.getElementById(id));
const show = (id) => boxes.forEach((box) => { box.hidden = box.id !== id; });
const boxOf = (status) => (status === 401 ? "signed-out" : status ? "away" : "lost");

addEventListener("offline", () => show("lost"));
addEventListener("online", () => show(null));
document.addEventListener("htmx:error", () => show("lost"));
document.addEventListener("htmx:after:request", (event) => {
  const { status } = event.detail.ctx.response;
  // A service that is away says so where its part stands; a stream that it refuses is told by the stream's own event.
  if (navigator.onLine && status < 500) show(status === 401 ? "signed-out" : null);
});
document.addEventListener("htmx:sse:error", (event) => show(boxOf(event.detail.status)));
document.addEventListener("htmx:sse:after:connection", (event) => {
  if (event.detail.connection.status < 400) show(null);
});

// The extension opens a stream again only after its first answer was a stream, so a first refusal is tried again here.
const FIRST_WAIT_MS = 1000;
const MOST_WAIT_MS = 30_000;
let wait_ms = FIRST_WAIT_MS;
document.addEventListener("htmx:finally:request", (event) => {
  const { sourceElement: source, response } = event.detail.ctx;
  const address = source.getAttribute("hx-sse:connect");
  if (!address) return;
  const status = response?.status;
  if (status < 400) wait_ms = FIRST_WAIT_MS;
  // Other refusals stay: the run is gone, or belongs to another.
  if (status < 500 && status !== 401) return;
  show(boxOf(status));
  setTimeout(() => source.isConnected && htmx.ajax("GET", address, { source, swap: "none" }), wait_ms);
  wait_ms = Math.min(2 * wait_ms, MOST_WAIT_MS);
});
