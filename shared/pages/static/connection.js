// Says when the server cannot be reached, and that it can be reached again.
const box = document.getElementById("lost");
const tell = (lost) => { box.hidden = navigator.onLine && !lost; };

addEventListener("offline", () => tell(true));
addEventListener("online", () => tell(false));
document.addEventListener("htmx:error", () => tell(true));
document.addEventListener("htmx:after:request", () => tell(false));
document.addEventListener("htmx:sse:error", () => tell(true));
document.addEventListener("htmx:sse:after:connection", () => tell(false));
