"use strict";
// What is shown, kept in the address: #at=ID&loops=a,b&family=timer. A plain #ID goes to that place
// and leaves the rest as it is. Values are lists of texts; a name without a value is left out.
const view = (() => {
  const watchers = [];
  let state = new Map();

  const decode = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text; // a stray percent sign: somebody typed it
    }
  };
  const encode = (text) => encodeURIComponent(text).replaceAll("%3A", ":").replaceAll("%20", "+");
  const read = () => {
    const hash = location.hash.slice(1);
    if (hash && !hash.includes("=")) {
      state.set("at", [decode(hash)]);
      return;
    }
    state = new Map();
    for (const part of hash.split("&")) {
      const [name, text] = part.split("=");
      if (text) state.set(name, text.replaceAll("+", "%20").split(",").map(decode));
    }
  };
  const written = () => {
    if (state.size === 1 && state.has("at")) return `#${encodeURIComponent(state.get("at")[0])}`;
    const parts = [...state].map(([name, values]) => `${name}=${values.map(encode)}`);
    return parts.length ? `#${parts.join("&")}` : "";
  };
  const write = () => {
    history.replaceState(history.state, "", written() || location.pathname + location.search);
  };

  const reveal = (place) => {
    for (let at = place; at; at = at.parentElement) {
      at.classList.remove("out");
      if (at.localName === "details") at.open = true;
    }
  };
  const go = () => {
    const place = document.getElementById((state.get("at") || [""])[0]);
    for (const old of document.querySelectorAll(".here")) old.classList.remove("here");
    if (!place) return;
    reveal(place);
    place.classList.add("here");
    if (!place.matches("a,button,input,summary,[tabindex]")) place.tabIndex = -1;
    place.focus({ preventScroll: true });
    settle(place, 12);
  };
  // Sections that come into sight for the first time take their real height, and move the place.
  let settling = 0;
  const settle = (place, frames) => {
    cancelAnimationFrame(settling);
    place.scrollIntoView();
    if (frames) settling = requestAnimationFrame(() => settle(place, frames - 1));
  };
  for (const kind of ["wheel", "touchstart", "pointerdown", "keydown"]) {
    addEventListener(kind, () => cancelAnimationFrame(settling), { passive: true });
  }
  const tell = () => watchers.forEach((watcher) => watcher());

  addEventListener("hashchange", () => {
    read();
    write();
    tell();
    go();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const name = decode(link.getAttribute("href").slice(1));
    if (!name || !document.getElementById(name)) return;
    event.preventDefault();
    const before = written();
    state.set("at", [name]);
    if (written() === before) go();
    else location.hash = written();
  });
  read();

  return {
    get: (name) => state.get(name) || [],
    set: (name, values) => {
      if (values.length) state.set(name, [...values]);
      else state.delete(name);
      write();
    },
    /** Calls `watcher` now and whenever the address says something else. */
    watch: (watcher) => {
      watchers.push(watcher);
      watcher();
    },
    /** Goes to the element with this id without a step in the history. */
    go: (id) => {
      state.set("at", [id]);
      write();
      go();
    },
    /** To be called once, when every script has shown what the address asks for. */
    begin: () => {
      write();
      if (state.has("at")) go();
    },
  };
})();
