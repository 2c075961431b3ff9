"use strict";
document.documentElement.classList.add("js");
for (const table of document.querySelectorAll("table.classes, table.leaders")) {
  const leaders = table.classList.contains("leaders");
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells], body = table.tBodies[0], all = [...body.rows];
  const value = (row, at) => {
    const text = row.cells[at].textContent.trim(), number = parseFloat(text);
    return text === "never" ? 0 : text === "–" || text === "" ? null : at < 1 || Number.isNaN(number) ? text : number;
  };
  const sort = (at, up) => {
    heads.forEach((head, other) => {
      if (other === at) head.setAttribute("aria-sort", up ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
    const sign = up ? 1 : -1, compare = new Intl.Collator("en", { numeric: true }).compare;
    const keyed = all.map(row => [value(row, at), row]);
    keyed.sort(([x], [y]) => {
      if (x === null || y === null) return (x === null) - (y === null);
      return sign * (typeof x === "string" || typeof y === "string" ? compare(x, y) : x - y);
    });
    body.append(...keyed.map(([, row]) => row));
  };
  heads.forEach((head, at) => head.firstChild.addEventListener("click", () => {
    // Of scores the best is asked for first.
    const now = head.getAttribute("aria-sort");
    sort(at, leaders && at > 0 ? now === "descending" : now !== "ascending");
  }));
  if (leaders) continue;

  const find = document.getElementById("find"), group = document.getElementById("of-group"), only = document.getElementById("only");
  if (!find) continue;
  const rows = all.map(row => {
    const cells = [...row.cells].map(cell => cell.textContent.trim());
    // After five fixed columns each run has four: AP, AP50, claims, g.
    const runs = cells.slice(5).filter((_, at) => at % 4 === 0 || at % 4 === 2);
    return {
      row, name: cells[0].toLowerCase(), group: cells[1],
      never: runs.some((text, at) => at % 2 === 1 && text === "never"),
      zero: runs.some((text, at) => at % 2 === 0 && text === "0.0"),
      unseen: cells[4] === "0",
    };
  });
  const filter = () => {
    const part = find.value.trim().toLowerCase();
    let shown = 0;
    for (const entry of rows) {
      const fits = entry.name.includes(part) && (!group.value || entry.group === group.value) && (!only.value || entry[only.value]);
      entry.row.hidden = !fits;
      shown += fits;
    }
    document.getElementById("shown").value = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} classes`;
  };
  [find, group, only].forEach(control => control.addEventListener("input", filter));
  find.form.addEventListener("submit", event => event.preventDefault());
  filter();
}
