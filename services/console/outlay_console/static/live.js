// Server-sent events: figures that move, and events with their cost. Closed while the page is hidden.

const status = document.getElementById("live");
const main = document.getElementById("main");

function say(state, text) {
  if (!status) return;
  status.dataset.state = state;
  status.querySelector("[data-text]").textContent = text;
}

// The time of day in the zone of the page, as all its times are.
function timeOf(moment) {
  const timeZone = status?.dataset.tz ?? "UTC";
  return `${new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", timeZone }).format(moment)} ${timeZone}`;
}

export function listen(path, handlers) {
  let source = null;
  let shown = document.querySelector("[data-away]") ? null : new Date(); // a page of old figures says itself how old they are
  const open = () => {
    if (source) return;
    source = new EventSource(path);
    source.onopen = () => say("on", "live");
    source.onerror = () => {
      say("off", "connection lost, reconnecting");
      if (source.readyState === EventSource.CLOSED) location.reload();
    };
    source.addEventListener("away", () => { say("off", `ClickHouse is not responding${shown ? `; figures of ${timeOf(shown)}` : ""}`); main.classList.add("stale"); });
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => { shown = new Date(); say("on", "live"); main.classList.remove("stale"); handle(JSON.parse(event.data)); });
    }
  };
  const close = () => { source?.close(); source = null; };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  window.addEventListener("pagehide", close);
  if (!document.hidden) open();
}

// The time zone and the currency of the page's address, for a stream and other pages.
export function kept() {
  const asked = new URLSearchParams(location.search);
  return Object.fromEntries(["tz", "currency"].filter((name) => asked.get(name)).map((name) => [name, asked.get(name)]));
}

export function chosen() {
  return "?" + new URLSearchParams(kept());
}

export function tail(table) {
  const body = table.querySelector("tbody");
  const pause = document.getElementById("pause");
  const clock = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium", timeZone: table.dataset.tz });
  const cell = (row, text, name) => { const td = row.insertCell(); td.textContent = text; if (name) td.className = name; return td; };
  let paused = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", paused);
    pause.textContent = paused ? "Resume" : "Pause";
  });
  listen("/stream/events" + chosen(), {
    costs: (events) => {
      if (paused) return;
      body.querySelector(".waiting")?.remove();
      for (const event of events.slice(-100)) {
        const row = body.insertRow(0);
        row.className = "new";
        const link = document.createElement("a");
        link.href = "/event?" + new URLSearchParams({ source: event.source, id: event.id, at: event.at, tz: table.dataset.tz });
        link.textContent = clock.format(new Date(event.time));
        cell(row, "", "nowrap").append(link);
        const sku = cell(row, "");
        const provider = document.createElement("span");
        provider.className = "muted small";
        provider.textContent = event.provider + " ";
        sku.append(provider, event.sku);
        cell(row, event.team || table.dataset.unassigned);
        cell(row, event.project || table.dataset.unassigned);
        cell(row, event.user);
        cell(row, event.unpriced ? "unpriced" : event.cost, "num");
      }
      while (body.rows.length > 100) body.deleteRow(-1);
    },
  });
}
