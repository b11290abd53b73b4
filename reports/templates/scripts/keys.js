"use strict";
// Single keys, which somebody who speaks to the browser can switch off, and their help.
(() => {
  const stops = "section.benchmark";
  const searchBox = () =>
    [...document.querySelectorAll("main input[type=search]")].find((box) => box.offsetParent);
  const step = (by) => {
    const under = parseFloat(getComputedStyle(document.documentElement).scrollPaddingTop) || 0;
    const ahead = [...document.querySelectorAll(stops)].filter((one) => {
      const away = one.getBoundingClientRect().top - under;
      return one.id && one.offsetParent && (by > 0 ? away > 2 : away < -2);
    });
    if (ahead.length) view.go(ahead.at(by > 0 ? 0 : -1).id);
  };
  const words = () => {
    const box = searchBox();
    if (box) box.focus();
    else if (filters) filters.open();
  };
  const keys = new Map([
    ["/", { text: "filter by words", call: words, where: () => filters || searchBox() }],
    ["j", { text: "next benchmark", call: () => step(1), where: () => document.querySelector(stops) }],
    ["k", { text: "the one before", call: () => step(-1), where: () => document.querySelector(stops) }],
    ["t", { text: "light, dark or the system's colours", call: theme.next, where: () => true }],
    ["?", { text: "this help", call: () => open(), where: () => true }],
  ]);

  const kept = () => {
    try {
      return localStorage.getItem("loopgauge-keys") !== "off";
    } catch {
      return true;
    }
  };
  let on = kept();
  let dialog = null;
  const build = () => {
    const list = make("dl");
    for (const [key, { text, where }] of keys) {
      if (!where()) continue;
      const name = make("dt", {}, make("kbd", { textContent: key }));
      list.append(make("div", {}, name, make("dd", { textContent: text })));
    }
    const box = make("input", { type: "checkbox", checked: on });
    box.addEventListener("change", () => {
      on = box.checked;
      try {
        localStorage.setItem("loopgauge-keys", on ? "on" : "off");
      } catch {
        // as chosen, until the page is closed
      }
    });
    const close = make("button", { type: "button", textContent: "Close" });
    close.addEventListener("click", () => dialog.close());
    const title = make("h2", { id: "keys-title", className: "small", textContent: "Keys" });
    const hint =
      "A click on a heading with arrows sorts its table. The address keeps filters, the order of " +
      "the large tables, and the place: copy it to show somebody what you see.";
    const how = document.querySelector("main [id$='-how']");
    const more = make("p");
    if (how) {
      const link = make("a", { href: `#${how.id}`, textContent: "How to read this page" });
      link.addEventListener("click", () => dialog.close());
      more.append(link);
    }
    dialog = make(
      "dialog", { className: "keys" }, title, list, make("p", { textContent: hint }), more,
      make("p", {}, make("label", { className: "pick" }, box, "single keys work")), close,
    );
    dialog.setAttribute("aria-labelledby", title.id);
    document.body.append(dialog);
  };
  const open = () => {
    if (!dialog) build();
    dialog.showModal();
  };

  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && filters) filters.close();
    if (!on || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest("input:not([type=checkbox]),select,textarea,[contenteditable]")) return;
    const known = keys.get(event.key);
    if (!known || (dialog && dialog.open)) return;
    event.preventDefault();
    known.call();
  });
  const button = make("button", { type: "button", textContent: "?" });
  button.setAttribute("aria-label", "Keys and help");
  button.addEventListener("click", open);
  tools.append(button);
})();
