"use strict";
// Search over what the page carries itself: [kind, name, words, address]; every word must be found.
// The words are kept in the address: find=timer
(() => {
  const data = document.getElementById("search-data");
  const form = document.getElementById("search");
  if (!data || !form) return;
  const MOST = 40;
  const input = document.getElementById("words");
  const list = document.getElementById("found");
  const count = document.getElementById("found-count");
  const entries = JSON.parse(data.textContent).map(([kind, name, words, address]) => ({
    kind,
    name,
    words,
    address,
    text: `${kind} ${name} ${words}`.toLowerCase(),
  }));

  const rank = (entry, wanted) => {
    const name = entry.name.toLowerCase();
    if (name === wanted) return 0;
    if (name.startsWith(wanted)) return 1;
    return name.includes(wanted) ? 2 : 3;
  };

  const item = ({ kind, name, words, address }) => {
    const line = document.createElement("li");
    const link = document.createElement("a");
    link.href = address;
    link.textContent = name;
    const about = document.createElement("span");
    about.textContent = ` ${kind}${words ? `: ${words}` : ""}`;
    line.append(link, about);
    return line;
  };

  const show = () => {
    const wanted = input.value.trim().toLowerCase();
    const parts = wanted.split(/\s+/).filter(Boolean);
    const found = parts.length
      ? entries.filter(({ text }) => parts.every((part) => text.includes(part)))
      : [];
    found.sort((a, b) => rank(a, wanted) - rank(b, wanted));
    list.replaceChildren(...found.slice(0, MOST).map(item));
    const more = found.length > MOST ? `, the first ${MOST} are shown` : "";
    count.textContent = parts.length ? `${found.length} found${more}` : "";
  };

  form.hidden = false;
  input.addEventListener("input", () => {
    show();
    view.set("find", input.value.trim() ? [input.value.trim()] : []);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const first = list.querySelector("a");
    if (first) first.click();
  });
  view.watch(() => {
    input.value = view.get("find").join(",");
    show();
  });
})();
