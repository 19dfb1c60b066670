// Without this, everything is there, in the matrix's order.
for (const table of document.querySelectorAll("table.numbers")) {
  const body = table.tBodies[0];
  for (const th of table.querySelectorAll("th[data-sort]")) {
    const column = th.cellIndex;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...th.childNodes);
    th.append(button);
    button.addEventListener("click", () => {
      const down = th.getAttribute("aria-sort") === "ascending";
      for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
      th.setAttribute("aria-sort", down ? "descending" : "ascending");
      const numeric = th.dataset.sort === "number";
      const key = (row) => {
        const text = row.cells[column].textContent;
        return numeric ? parseFloat(text) : text;
      };
      const order = (a, b) => (numeric ? key(a) - key(b) : key(a).localeCompare(key(b)));
      body.append(...[...body.rows].sort((a, b) => (down ? order(b, a) : order(a, b))));
    });
  }
}
