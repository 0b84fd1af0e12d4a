// What every page needs: the theme, forms that apply themselves, charts, live parts. Pages work without it, still.
import { Chart } from "./chart.js";
import { listen, tail } from "./live.js";

let charts = [];
function drawCharts() {
  charts.forEach((chart) => chart.destroy());
  charts = [...document.querySelectorAll("[data-chart]")].map((figure) => new Chart(figure));
}

async function loadCharts() {
  if (!document.querySelector("[data-chart]")) return;
  if (!window.uPlot) await new Promise((done, fail) => {
    const script = document.createElement("script");
    script.src = new URL("./vendor/uPlot.iife.min.js", import.meta.url).href;
    script.onload = done;
    script.onerror = fail;
    document.head.append(script);
  });
  drawCharts();
}

function theme() {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  document.getElementById("theme")?.addEventListener("click", () => {
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
    root.dataset.theme = isDark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
    charts.forEach((chart) => chart.draw());
  });
  dark.addEventListener("change", () => charts.forEach((chart) => chart.draw()));
}

function forms() {
  for (const form of document.querySelectorAll("form[data-auto]")) {
    form.querySelector("[data-apply]").hidden = true;
    form.addEventListener("change", () => form.requestSubmit());
  }
  for (const select of document.querySelectorAll("select[data-zones]")) {
    const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (own && ![...select.options].some((option) => option.value === own)) select.add(new Option(own, own));
  }
  for (const value of document.querySelectorAll("[data-filter-value]")) {
    const form = value.form;
    const name = form.querySelector("[data-filter-name]");
    form.addEventListener("submit", () => {
      if (!value.value) return;
      const hidden = document.createElement("input");
      hidden.type = "hidden";
      hidden.name = name.value;
      hidden.value = value.value;
      form.append(hidden);
    });
  }
}

// A click on a column's name sorts by it: numbers from the highest, names from A.
function sorting() {
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
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
        table.tBodies[0].append(...[...table.tBodies[0].rows].sort((a, b) => (up ? order(a, b) : order(b, a))));
      });
    });
  }
}

// One key opens a page, the filter or the list of keys; not while somebody types.
function shortcuts() {
  const list = document.getElementById("keys");
  if (!list) return;
  const toggle = () => (list.open ? list.close() : list.showModal());
  document.getElementById("shortcuts").addEventListener("click", toggle);
  const pages = [...document.querySelectorAll("nav a")];
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    const filter = document.querySelector("[data-filter-value]");
    if (event.key === "?") toggle();
    else if (list.open) return;
    else if (event.key === "/" && filter) {
      filter.closest("details").open = true;
      filter.focus();
    } else if (pages[event.key - 1]) pages[event.key - 1].click();
    else return;
    event.preventDefault();
  });
}

// Elements that scroll get keyboard focus; others do not.
function scrollers() {
  for (const part of document.querySelectorAll(".scroll")) {
    if (part.scrollWidth > part.clientWidth || part.scrollHeight > part.clientHeight) part.tabIndex = 0;
    else part.removeAttribute("tabindex");
  }
}

// The newest state of this very page, laid into the parts that live.
let refreshing = false;
async function refresh() {
  if (refreshing) return;
  refreshing = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (document.querySelector("[data-live-page]")) { if (!fresh.querySelector("[data-live-page]")) location.reload(); return; }
    for (const part of document.querySelectorAll("[data-live]")) {
      const next = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
      if (!next || part.contains(document.activeElement) || (part.matches(":hover") && !part.querySelector("[data-later]")) || part.innerHTML === next.innerHTML) continue;
      if (part.dataset.live === "chart") {
        const open = part.querySelector("details")?.open;
        part.replaceChildren(...next.childNodes);
        part.querySelector("details").open = open;
        drawCharts();
      } else part.replaceChildren(...next.childNodes);
    }
    scrollers();
  } finally {
    setTimeout(() => { refreshing = false; }, 2000);
  }
}

function live() {
  const table = document.getElementById("tail-table");
  if (table) { tail(table); return; }
  if (!document.getElementById("live")) return;
  let written = null;
  const zone = new URLSearchParams(location.search).get("tz");
  listen("/stream/figures" + (zone ? "?" + new URLSearchParams({ tz: zone }) : ""), {
    figures: (figures) => {
      for (const place of document.querySelectorAll("[data-figure]")) {
        const text = figures[place.dataset.figure];
        if (text === undefined || place.textContent === text) continue;
        place.textContent = text;
        place.classList.remove("moved");
        requestAnimationFrame(() => place.classList.add("moved"));
      }
      if (written !== null && written !== figures.written) refresh();
      written = figures.written;
    },
  });
}

if (document.querySelector("[data-away]")) setInterval(async () => {
  const answer = await fetch(location.href).catch(() => null);
  if (answer?.ok) location.reload();
}, 4000);

// A forecast that is made for the first time takes longer than a page waits.
if (document.querySelector("[data-later]")) setTimeout(refresh, 1500);

document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
theme();
forms();
sorting();
shortcuts();
scrollers();
addEventListener("resize", scrollers);
await loadCharts();
live();
