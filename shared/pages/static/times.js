// Shows each <time datetime> in the reader's zone; the exact time is its title.
export const language = { en: "en-GB", zh: "zh-CN" }[document.documentElement.lang];
export const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(language, { day: "numeric", month: "short" });
const date = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", year: "numeric" });
const exact = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "long" });

const show = (element) => {
  const time = new Date(element.dateTime);
  if (element.title || Number.isNaN(time.getTime())) return;
  const now = new Date();
  const dated = time.getFullYear() === now.getFullYear() ? day : date;
  const today = time.toDateString() === now.toDateString();
  element.textContent = today ? clock.format(time) : `${dated.format(time)}, ${clock.format(time)}`;
  element.title = exact.format(time);
};
const showAll = () => document.querySelectorAll("time[datetime]:not([title])").forEach(show);

showAll();
document.addEventListener("htmx:after:swap", showAll);
