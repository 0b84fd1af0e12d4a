// Ctrl-K: everything that this page offers, found by typing.

import { kept } from "./live.js";

function offers() {
  const go = (text, kind, run) => ({ text, kind, run });
  const links = [...document.querySelectorAll("nav a, .head a, [data-command]")];
  const found = links.map((link) => go(link.dataset.command ?? link.innerText.trim(), link.closest("nav") ? "Page" : "Link", () => link.click()));
  const choose = (name, kind) => [...document.querySelectorAll(`form[data-auto] [name=${name}]`)].slice(0, name === "range" ? undefined : 1).flatMap((field) =>
    field.type === "radio"
      ? [go(field.parentElement.innerText.trim(), kind, () => field.click())]
      : [...field.options].filter((option) => option.value).map((option) => go(option.text, kind, () => {
        field.value = option.value;
        field.dispatchEvent(new Event("change", { bubbles: true }));
      })));
  return [
    ...found, ...choose("range", "Time range"), ...choose("by", "Group by"), ...choose("compare", "Compare"),
    go("Switch between light and dark", "Theme", () => document.getElementById("theme").click()),
    go("Keyboard shortcuts", "Help", () => document.getElementById("shortcuts").click()),
  ];
}

// Teams, models and the like that hold what is typed, to be opened in Explore.
async function values(text) {
  const asked = ["team", "project", "sku", "user"];
  const answers = await Promise.all(asked.map(async (of) => {
    const answer = await fetch(`/values?${new URLSearchParams({ ...kept(), of, text, range: "30d" })}`).catch(() => null);
    return answer?.ok ? (await answer.json()).filter(Boolean).slice(0, 5).map((value) => ({ of, value })) : [];
  }));
  return answers.flat().map(({ of, value }) => ({
    text: value,
    kind: `Explore ${of === "sku" ? "model" : of}`,
    run: () => location.assign(`/explore?${new URLSearchParams({ ...kept(), range: "30d", by: of === "sku" ? "team" : "sku", [of]: value })}`),
  }));
}

export function palette() {
  const dialog = document.getElementById("palette");
  if (!dialog) return;
  const [input, list] = [dialog.querySelector("input"), dialog.querySelector("[role=listbox]")];
  let shown = [];
  let at = 0;
  let waiting;
  const mark = () => {
    [...list.children].forEach((item, n) => item.setAttribute("aria-selected", n === at));
    input.setAttribute("aria-activedescendant", shown.length ? `offer-${at}` : "");
    list.children[at]?.scrollIntoView({ block: "nearest" });
  };
  const run = (offer) => { dialog.close(); offer?.run(); };
  const draw = (offers) => {
    shown = offers.slice(0, 40);
    at = 0;
    list.replaceChildren(...shown.map((offer, n) => {
      const item = document.createElement("li");
      Object.assign(item, { id: `offer-${n}`, role: "option" });
      item.append(offer.text, Object.assign(document.createElement("span"), { className: "muted small", textContent: offer.kind }));
      item.addEventListener("click", () => run(offer));
      return item;
    }));
    mark();
  };
  const find = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const near = offers().filter(({ text, kind }) => words.every((word) => `${kind} ${text}`.toLowerCase().includes(word)));
    draw(near);
    clearTimeout(waiting);
    const text = input.value.trim();
    if (text.length > 1) waiting = setTimeout(async () => {
      const more = await values(text);
      if (input.value.trim() === text && dialog.open) draw([...near, ...more]);
    }, 200);
  };
  const open = () => { input.value = ""; dialog.showModal(); find(); };
  input.addEventListener("input", find);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") run(shown[at]);
    else if (event.key === "ArrowDown") at = Math.min(shown.length - 1, at + 1);
    else if (event.key === "ArrowUp") at = Math.max(0, at - 1);
    else return;
    event.preventDefault();
    mark();
  });
  addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    if (dialog.open) dialog.close(); else open();
  });
}
