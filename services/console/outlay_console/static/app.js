// What every page needs: the theme, forms that apply themselves, charts, live parts. Pages work without it, still.
import { Chart } from "./chart.js";
import { chosen, listen, tail } from "./live.js";
import { palette } from "./palette.js";
import { tables } from "./tables.js";

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
  for (const select of document.querySelectorAll("select[name=compare]")) select.addEventListener("change", (event) => {
    if (select.value !== "day") return;
    event.stopPropagation();
    const day = Object.assign(document.createElement("input"), { type: "date", name: "compare" });
    day.setAttribute("aria-label", "Compare with the range that starts on");
    select.replaceWith(day);
    day.focus();
  });
  for (const form of document.querySelectorAll("form")) form.addEventListener("formdata", ({ formData }) => {
    for (const name of ["by", "compare"]) {
      const values = formData.getAll(name).filter(Boolean);
      formData.delete(name);
      values.forEach((value) => formData.append(name, value));
    }
  });
  for (const value of document.querySelectorAll("[data-filter-value]")) {
    const form = value.form;
    const [name, how] = ["name", "how"].map((part) => form.querySelector(`[data-filter-${part}]`));
    let touched = false;
    const offer = async () => {
      const asked = new URLSearchParams(location.search);
      asked.set("of", name.value);
      asked.set("text", value.value);
      const answer = await fetch(`/values?${asked}`).catch(() => null);
      if (answer?.ok) value.list.replaceChildren(...(await answer.json()).filter(Boolean).map((one) => new Option(one)));
    };
    let waiting;
    const soon = () => { clearTimeout(waiting); waiting = setTimeout(offer, 200); };
    value.addEventListener("focus", soon);
    value.addEventListener("input", () => { touched = true; soon(); });
    name.addEventListener("change", () => { touched = true; soon(); });
    form.addEventListener("formdata", ({ formData }) => { if (touched) formData.append(name.value + how.value, value.value); });
  }
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(location.href);
      button.textContent = "Copied";
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
    if (document.querySelector("#palette[open]")) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    const filter = document.querySelector("[data-filter-value]") ?? document.querySelector("main input[type=search]");
    if (event.key === "?") toggle();
    else if (list.open) return;
    else if (event.key === "/" && filter) {
      filter.closest("details")?.setAttribute("open", "");
      filter.focus();
    } else if (pages[event.key - 1]) pages[event.key - 1].click();
    else return;
    event.preventDefault();
  });
}

// On a phone a long list shows its first entries, and the rest at a tap: no page is over three screens.
const phone = matchMedia("(max-width: 760px)");
function fold() {
  for (const list of document.querySelectorAll("[data-fold]")) {
    if (!phone.matches || list.dataset.fold === "open") continue;
    const most = list.closest(".events") ? 20 : list.closest(".alerts") ? 2 : list.closest(".grid, .savings, .columns") ? 3 : 6;
    const hidden = [...list.children].slice(most);
    const place = list.closest("table") ?? list;
    place.nextElementSibling?.matches(".unfold") && place.nextElementSibling.remove();
    [...list.children].slice(0, most).forEach((one) => one.classList.remove("folded"));
    hidden.forEach((one) => one.classList.add("folded"));
    if (!hidden.length) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "unfold plain";
    button.textContent = `Show all ${list.children.length}`;
    button.addEventListener("click", () => {
      list.dataset.fold = "open";
      hidden.forEach((one) => one.classList.remove("folded"));
      hidden[0].querySelector("a, button")?.focus();
      button.remove();
      scrollers();
    });
    place.after(button);
  }
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
    fold();
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
  listen("/stream/figures" + chosen(), {
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
(function later(tries) {
  if (tries && document.querySelector("[data-later]")) setTimeout(async () => { await refresh(); later(tries - 1); }, 2500);
})(6);

document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
theme();
forms();
tables(fold);
shortcuts();
palette();
fold();
phone.addEventListener("change", fold);
scrollers();
addEventListener("resize", scrollers);
await loadCharts();
live();
