"use strict";
// Filters of a run's page: #loops=a,b&family=timer&verdict=slower&q=words. What there is to filter
// is read off the table of raw numbers (a row per benchmark and loop). Sections are found by their
// id, links to them and rows with one by where they lead, and whatever has data-loop by that.
const filters = (() => {
  const rows = [...document.querySelectorAll("table.raw tbody tr")];
  if (!rows.length) return null;
  const several = ["loops", "family", "verdict"];
  const titles = { loops: "Loops", family: "Family", verdict: "Verdict, of any loop shown" };
  const style = document.head.appendChild(make("style"));
  let known = null;

  const learn = () => {
    const benchmarks = new Map();
    const found = { loops: new Set(), family: new Set(), verdict: new Set() };
    for (const row of rows) {
      const { loop, family, verdict = "" } = row.dataset;
      const at = row.querySelector("a").hash.slice(1);
      if (!benchmarks.has(at)) {
        const section = document.getElementById(at);
        const about = section && section.querySelector(".what");
        const words = `${row.cells[0].textContent} ${about ? about.textContent : ""}`;
        const places = section ? [section] : [];
        benchmarks.set(at, { family: "", places, rows: [], words: words.toLowerCase() });
      }
      if (family !== undefined) {
        // said in one row of a benchmark only: its first, until the table is sorted
        found.family.add(family);
        benchmarks.get(at).family = family;
      }
      benchmarks.get(at).rows.push({ row, loop, verdict });
      if (loop) found.loops.add(loop);
      if (verdict) found.verdict.add(verdict);
    }
    for (const link of document.querySelectorAll("main table:not(.raw) a,main .index a,main .what a")) {
      const one = benchmarks.get(link.hash.slice(1));
      if (one) one.places.push(link.closest("tr") || link);
    }
    const rules = [];
    for (const rule of document.querySelectorAll(".promises .rule")) {
      const named = [...rule.querySelectorAll(".dependants a")].map((link) => link.hash.slice(1));
      const known = named.filter((at) => benchmarks.has(at));
      if (known.length) rules.push({ rule, benchmarks: known });
    }
    return { benchmarks, rules, ...found };
  };

  const apply = () => {
    const words = view.get("q").join(",").toLowerCase().split(/\s+/).filter(Boolean);
    if (!known && !words.length && !several.some((name) => view.get(name).length)) return;
    known ??= learn();
    // What an old address names and this page does not have is no reason to show nothing.
    const [loops, family, verdict] = several.map(
      (name) => new Set(view.get(name).filter((value) => known[name].has(value))),
    );
    const hidden = loops.size ? [...known.loops].filter((loop) => !loops.has(loop)) : [];
    style.textContent = hidden.length
      ? `${hidden.map((loop) => `[data-loop="${CSS.escape(loop)}"]`)}{display:none}`
      : "";
    const left = new Set();
    let shown = 0;
    const fitting = new Set();
    for (const [at, one] of known.benchmarks) {
      const asked = one.rows.filter((each) => !loops.size || loops.has(each.loop));
      const fits =
        (!family.size || family.has(one.family)) &&
        words.every((word) => one.words.includes(word)) &&
        (!verdict.size || asked.some((each) => verdict.has(each.verdict)));
      for (const place of one.places) place.classList.toggle("out", !fits);
      for (const each of one.rows) {
        each.row.classList.toggle("out", !fits || (verdict.size > 0 && !verdict.has(each.verdict)));
      }
      if (fits) {
        left.add(one.family);
        fitting.add(at);
      }
      shown += fits;
    }
    for (const name of known.family) {
      const end = `-family-${CSS.escape(name)}"]`;
      for (const part of document.querySelectorAll(`[id$="${end},nav li:has([href$="${end})`)) {
        part.classList.toggle("out", !left.has(name));
      }
    }
    for (const part of document.querySelectorAll("section.scenario")) {
      part.classList.toggle("out", !part.querySelector(".what a:not(.out)"));
    }
    for (const { rule, benchmarks } of known.rules) {
      rule.classList.toggle("out", !benchmarks.some((at) => fitting.has(at)));
    }
    const some = shown < known.benchmarks.size || hidden.length > 0;
    const benchmarks = `${shown} of ${known.benchmarks.size} benchmarks`;
    const loopsLeft = `${known.loops.size - hidden.length} of ${known.loops.size} loops`;
    label.textContent = some ? `Filter: ${benchmarks}, ${loopsLeft}` : "Filter";
    count.textContent = `${benchmarks}, ${loopsLeft}.`;
    clear.hidden = !some;
    fill();
  };

  const label = make("summary", { textContent: "Filter" });
  const count = make("p", { className: "mute" });
  count.setAttribute("role", "status");
  const clear = make("button", { type: "reset", textContent: "Show everything", hidden: true });
  const search = make("input", { type: "search", name: "q", autocomplete: "off" });
  search.placeholder = "words of a benchmark";
  search.setAttribute("aria-label", "Words of a benchmark's name or description");
  const form = make("form", {}, search);
  const panel = make("details", { className: "filter" }, label, form);

  const numbered = new Intl.Collator("en", { numeric: true }); // epoll@3.9 before epoll@3.14
  // Families have names of their own in the index.
  const words = (name, value) => {
    if (name !== "family") return value;
    const link = document.querySelector(`.index a[href$="-family-${CSS.escape(value)}"]`);
    return link ? link.textContent : value;
  };
  const hint = "Charts are drawn already: they show all loops and benchmarks, whatever is picked.";
  // The boxes are made when somebody first looks for them.
  const build = () => {
    known ??= learn();
    if (form.elements.length > 1) return;
    for (const name of several) {
      const chips = [...known[name]].sort(numbered.compare).map((value) => {
        const box = make("input", { type: "checkbox", name, value });
        return make("label", { className: "pick" }, box, words(name, value));
      });
      form.append(make("fieldset", {}, make("legend", { textContent: titles[name] }), ...chips));
    }
    form.append(
      make("p", { className: "mute", textContent: hint }),
      make("p", { className: "answer" }, count, clear),
    );
    apply();
    fill();
  };
  const fill = () => {
    if (document.activeElement !== search) search.value = view.get("q").join(",");
    for (const box of form.querySelectorAll("input[type=checkbox]")) {
      box.checked = view.get(box.name).includes(box.value);
    }
  };
  const changed = () => {
    const words = search.value.trim();
    view.set("q", words ? [words] : []);
    for (const name of several) {
      view.set(name, [...form.querySelectorAll(`[name=${name}]:checked`)].map((box) => box.value));
    }
    apply();
  };

  panel.addEventListener("toggle", () => panel.open && build());
  form.addEventListener("input", changed);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(changed));
  document.addEventListener("click", (event) => {
    if (!panel.contains(event.target)) panel.open = false;
  });
  tools.prepend(panel);
  view.watch(apply);
  return {
    open: () => {
      panel.open = true;
      build();
      search.focus();
    },
    close: () => {
      if (panel.open) label.focus();
      panel.open = false;
    },
  };
})();
