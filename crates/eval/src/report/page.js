for (const table of document.querySelectorAll("table.classes")) {
  const heads = [...table.tHead.rows[1].cells], body = table.tBodies[0];
  const value = (row, at) => {
    const text = row.cells[at].textContent.trim(), number = parseFloat(text);
    return text === "never" ? 0 : text === "–" || text === "" ? null : Number.isNaN(number) ? text : number;
  };
  heads.forEach((head, at) => head.firstChild.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const sign = up ? 1 : -1;
    const rows = [...body.rows].sort((a, b) => {
      const x = value(a, at), y = value(b, at);
      if (x === null || y === null) return (x === null) - (y === null);
      return sign * (typeof x === "string" || typeof y === "string" ? String(x).localeCompare(String(y)) : x - y);
    });
    body.append(...rows);
  }));
}
