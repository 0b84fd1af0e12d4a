// Tables: sorted by a click on a column's name, searched, continued, and with the columns that somebody wants.

// A click on a column's name sorts by it: numbers from the highest, names from A.
function sorting(changed) {
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    let sort = () => {};
    table.addEventListener("rows", () => sort());
    heads.forEach((head, n) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      const number = head.matches(".num, .share");
      const value = (row) => {
        const text = row.cells[n].innerText;
        if (!number) return text;
        return Number((row.cells[n].title || text).replace("−", "-").replace(/[^0-9.-]/g, "") || "-Infinity");
      };
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") === "descending" : !number;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const order = (a, b) => (number ? value(a) - value(b) : value(a).localeCompare(value(b)));
        sort = () => table.tBodies[0].append(...[...table.tBodies[0].rows].sort((a, b) => (up ? order(a, b) : order(b, a))));
        sort();
        changed();
      });
    });
  }
}

// What is typed above a table leaves the rows that hold it; a list chooses columns, and the browser remembers them.
function tools(table) {
  const key = `columns-${table.dataset.tools}`;
  const off = new Set(JSON.parse(localStorage.getItem(key) ?? "[]"));
  const heads = [...table.tHead.rows[0].cells];
  const show = () => {
    const hidden = heads.map((head) => off.has(head.innerText.trim() || head.textContent.trim()));
    for (const row of table.rows) [...row.cells].forEach((cell, n) => { cell.hidden = hidden[n]; });
  };
  const bar = document.createElement("div");
  bar.className = "tools";
  const search = Object.assign(document.createElement("input"), { type: "search" });
  const find = () => {
    const text = search.value.toLowerCase();
    for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(text);
    table.classList.toggle("searched", Boolean(text));
  };
  search.addEventListener("input", find);
  const section = table.closest("section");
  const covers = Object.assign(document.createElement("p"), { className: "small muted", textContent: `Sorting and search cover the rows shown.${section.querySelector("[data-total]") ? " The filter “contains” covers all." : ""}` });
  const cover = () => {
    covers.hidden = !section.querySelector("[data-more], [data-previous], .pager");
    search.placeholder = covers.hidden ? "Search this table" : "Search the rows shown";
    search.setAttribute("aria-label", search.placeholder);
  };
  table.addEventListener("rows", () => { show(); find(); cover(); });
  const choice = document.createElement("details");
  choice.className = "columns-choice";
  choice.append(Object.assign(document.createElement("summary"), { textContent: "Columns" }));
  heads.slice(1).forEach((head) => {
    const name = head.textContent.trim();
    const [label, box] = [document.createElement("label"), Object.assign(document.createElement("input"), { type: "checkbox", checked: !off.has(name) })];
    box.addEventListener("change", () => {
      if (box.checked) off.delete(name); else off.add(name);
      localStorage.setItem(key, JSON.stringify([...off]));
      show();
    });
    label.append(box, name);
    choice.append(label);
  });
  bar.append(search, choice, covers);
  table.closest(".scroll").before(bar);
  show();
  cover();
}

// "More" adds the next rows to those shown. If costs changed meanwhile, its link is followed: a page adds up to its total.
function more(table, changed) {
  const section = table.closest("section");
  let asking = false;
  section.addEventListener("click", async (event) => {
    const link = event.target.closest("[data-more]");
    if (!link || asking || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    asking = true;
    const answer = await fetch(link.href).catch(() => null);
    const page = answer?.ok && new DOMParser().parseFromString(await answer.text(), "text/html");
    const [here, there] = [section, page || null].map((place) => place?.querySelector("[data-total]"));
    if (!there || there.dataset.total !== here.dataset.total) { location.assign(link.href); return; }
    section.querySelector(".unfold")?.click();
    const [earlier, next] = [table.querySelectorAll("[data-earlier]"), page.querySelector(`[data-tools="${table.dataset.tools}"]`)];
    next.querySelector("[data-earlier]")?.replaceWith(...earlier);
    there.querySelector("[data-first]").replaceWith(here.querySelector("[data-first]"));
    there.querySelector("[data-previous]")?.replaceWith(...here.querySelectorAll("[data-previous]"));
    table.tBodies[0].append(...next.tBodies[0].rows);
    table.tFoot.replaceWith(next.tFoot);
    here.replaceWith(there);
    there.querySelector("[data-more]")?.focus();
    table.dispatchEvent(new Event("rows"));
    changed();
    asking = false;
  });
}

// A box that leaves the entries of lists that hold what is typed.
function lists() {
  for (const box of document.querySelectorAll("[data-search]")) box.addEventListener("input", () => {
    const text = box.value.toLowerCase();
    for (const entry of document.querySelectorAll(box.dataset.search)) entry.hidden = !entry.textContent.toLowerCase().includes(text);
    document.body.classList.toggle("searched", Boolean(text));
  });
}

export function tables(changed) {
  sorting(changed);
  document.querySelectorAll("table[data-tools]").forEach((table) => { tools(table); more(table, changed); });
  lists();
}
