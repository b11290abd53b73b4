"use strict";
// Filters of the matrix, kept in the address (view.js): #verdict=FAIL,HANG&level=MUST&stock=differs
(() => {
  const grid = document.getElementById("grid");
  const form = document.getElementById("filters");
  if (!grid || !form) return;
  const rules = [...grid.querySelectorAll("tbody.rule")].map((body) => ({
    body,
    area: body.dataset.a,
    level: body.dataset.l,
    words: body.textContent.toLowerCase(),
    rows: [...body.querySelectorAll("tr.c")].map((row) => ({
      row,
      kinds: row.dataset.v.split(" "),
      differs: "d" in row.dataset,
    })),
  }));
  const areas = [...grid.querySelectorAll("tbody.area")];
  const count = document.getElementById("count");
  const nothing = document.getElementById("nothing");
  const openAll = document.getElementById("open");
  const several = ["verdict", "level", "stock"];
  const single = ["area", "words"];

  const chosen = () => {
    const found = {};
    for (const name of several) {
      found[name] = [...form.querySelectorAll(`[name=${name}]:checked`)].map((box) => box.value);
    }
    for (const name of single) found[name] = form.elements[name].value.trim();
    return found;
  };

  const show = () => {
    const want = chosen();
    const words = want.words.toLowerCase();
    const byCase = want.verdict.length > 0 || want.stock.length > 0;
    const seen = new Set();
    let cases = 0;
    for (const rule of rules) {
      const fits =
        (!want.area || rule.area === want.area) &&
        (!want.level.length || want.level.includes(rule.level)) &&
        (!words || rule.words.includes(words));
      let left = 0;
      for (const one of rule.rows) {
        const shown =
          fits &&
          (!want.verdict.length || one.kinds.some((kind) => want.verdict.includes(kind))) &&
          (!want.stock.length || one.differs);
        one.row.classList.toggle("out", !shown);
        left += shown;
      }
      const out = !fits || (byCase && !left);
      rule.body.classList.toggle("out", out);
      if (!out) seen.add(rule.area);
      cases += left;
    }
    for (const area of areas) area.classList.toggle("out", !seen.has(area.dataset.a));
    grid.classList.toggle("found", byCase);
    count.textContent = `${cases} ${cases === 1 ? "case" : "cases"}`;
    nothing.hidden = seen.size > 0;
    grid.hidden = seen.size === 0;
  };

  const changed = () => {
    for (const [name, value] of Object.entries(chosen())) view.set(name, [].concat(value || []));
    show();
  };

  const recall = () => {
    for (const name of several) {
      const values = view.get(name);
      for (const box of form.querySelectorAll(`[name=${name}]`)) {
        box.checked = values.includes(box.value);
      }
    }
    for (const name of single) {
      const box = form.elements[name];
      if (box !== document.activeElement) box.value = view.get(name).join(",");
    }
    if (form.elements.area.selectedIndex < 0) form.elements.area.value = "";
    show();
  };

  const turn = (body, open) => {
    body.classList.toggle("open", open);
    const button = body.querySelector("button");
    if (!button) return;
    button.textContent = open ? "▾" : "▸";
    button.setAttribute("aria-expanded", String(open));
  };

  grid.classList.add("js");
  form.hidden = false;
  for (const { body } of rules) {
    const button = body.querySelector("button");
    if (button) {
      button.hidden = false;
      button.setAttribute("aria-label", "cases");
    }
  }
  grid.addEventListener("click", (event) => {
    const row = event.target.closest("tr.r");
    if (!row || event.target.closest("a")) return;
    turn(row.parentElement, !row.parentElement.classList.contains("open"));
  });
  openAll.addEventListener("click", () => {
    const open = openAll.textContent === "Open all cases";
    for (const { body } of rules) turn(body, open);
    openAll.textContent = open ? "Close all cases" : "Open all cases";
  });
  form.addEventListener("input", changed);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(changed));
  view.watch(recall);
})();
