"use strict";
// Every table.sortable: a click on a heading sorts, up, down, and back to the order of the file.
// A cell's data-v is what it is sorted by, else its text. A heading with data-versions has numbers
// between dots below it: 3.9 comes before 3.14. The order of a table with an id is kept in the
// address: sort=ID:COLUMN:up
(() => {
  const ways = { up: "ascending", down: "descending" };
  const words = new Intl.Collator("en", { numeric: true });
  const tables = new Map();

  // "1.5 µs [1.4, 1.6]" is sorted as 1500, "0.24 [0.23, 0.25]" as 0.24; other words as words.
  const units = {
    ns: 1, "µs": 1e3, ms: 1e6, s: 1e9, B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30,
  };
  const amount = (text) => {
    const [, number, unit] =
      /^([+-]?[\d.\u202f]+(?:e[+-]?\d+)?)(?: (\p{L}+))?(?: \[.*| of .*)?$/u.exec(text) || [];
    const found = Number((number || "").replaceAll("\u202f", "") || NaN);
    return Number.isNaN(found) ? text : found * (units[unit] || 1);
  };
  const value = (heads, row, column) => {
    const cell = row.cells[column];
    if (!cell) return null;
    const text = cell.dataset.v ?? cell.textContent.trim();
    if (text === "" || text === "–" || text === "nan") return null;
    if ("versions" in heads[column].dataset) return text;
    const number = Number(text.replace(/[\s\u202f,%×]/g, ""));
    return Number.isNaN(number) ? amount(text) : number;
  };
  const compare = (one, other) => {
    if (typeof one === "number" && typeof other === "number") return one - other;
    if (typeof one === typeof other) return words.compare(one, other);
    return typeof one === "number" ? -1 : 1;
  };
  const order = (table, column, way) => {
    for (const { body, rows } of table.bodies) {
      let wanted = rows;
      if (way) {
        const keyed = rows.map((row) => ({ row, key: value(table.heads, row, column) }));
        const sign = way === "down" ? -1 : 1;
        // What is missing stays at the end, whichever way.
        keyed.sort((one, other) => {
          if (one.key === null || other.key === null) {
            return (one.key === null) - (other.key === null);
          }
          return sign * compare(one.key, other.key);
        });
        wanted = keyed.map(({ row }) => row);
      }
      const next = body.nextSibling; // out of the page meanwhile: thousands of rows move at once
      body.remove();
      body.append(...wanted);
      table.element.insertBefore(body, next);
    }
    table.sorted = way ? { column, way } : null;
    table.heads.forEach((head, index) => {
      if (way && index === column) head.setAttribute("aria-sort", ways[way]);
      else head.removeAttribute("aria-sort");
    });
  };
  const remember = () => {
    const kept = [...tables]
      .filter(([id, table]) => !id.startsWith(":") && table.sorted)
      .map(([id, table]) => `${id}:${table.sorted.column}:${table.sorted.way}`);
    view.set("sort", kept);
  };
  const click = (table, column) => {
    const now = table.sorted && table.sorted.column === column ? table.sorted.way : null;
    order(table, column, now === "up" ? "down" : now === "down" ? null : "up");
    remember();
  };

  for (const element of document.querySelectorAll("table.sortable")) {
    const heads = [...element.tHead.rows[element.tHead.rows.length - 1].cells];
    if (element.tBodies.length === 0 || element.querySelector("tbody [rowspan]")) continue;
    const bodies = [...element.tBodies].map((body) => ({ body, rows: [...body.rows] }));
    const table = { element, heads, bodies, sorted: null };
    heads.forEach((head, column) => {
      if (!head.textContent.trim() || "unsorted" in head.dataset) return;
      const button = make("button", { type: "button", className: "sort" });
      button.append(...head.childNodes);
      button.addEventListener("click", () => click(table, column));
      head.append(button);
    });
    tables.set(element.id || `:${tables.size}`, table);
  }
  view.watch(() => {
    const wanted = new Map(
      view.get("sort").map((text) => {
        const [, id, column, way] = /^(.*):(\d+):(up|down)$/.exec(text) || [];
        return [id, { column: Number(column), way }];
      }),
    );
    for (const [id, table] of tables) {
      const { column, way } = wanted.get(id) || {};
      if (way && column < table.heads.length) order(table, column, way);
      else if (table.sorted && !id.startsWith(":")) order(table, 0, null);
    }
  });
})();
