// Charts: stacked bars over time, by uPlot. Amounts are numbers here for drawing only.

const COLOURS = 16;
const FORECAST = "Forecast (80% and 95% range)";

function written(value, symbol, options) {
  const size = new Intl.NumberFormat("en-US", { roundingMode: "halfEven", ...options }).format(Math.abs(value));
  return `${value < 0 ? "-" : ""}${symbol}${size}`;
}

// The rule of outlay_reports/money.py: cents from 10 cents up, three significant digits below; ≥ for a lower bound.
export function money(value, symbol = "$", bound = false) {
  if (bound && !value) return "unpriced";
  const size = Math.abs(value);
  const places = size && size < 0.1 ? 2 - Math.floor(Math.log10(size)) : 2;
  return (bound ? "≥ " : "") + written(value, symbol, { minimumFractionDigits: 2, maximumFractionDigits: places });
}

export function about(value, symbol = "$") {
  return Math.abs(value) < 100 ? money(value, symbol) : written(value, symbol, { maximumFractionDigits: 0 });
}

function axis(value, symbol) {
  return value >= 10000 ? written(value, symbol, { notation: "compact", maximumFractionDigits: 2 }) : money(value, symbol).replace(/\.00$/, "");
}

// The rule of outlay_reports/money.py: tenths below 10%, whole percents above; a part is never 100%, and some is never 0%.
export function percent(part) {
  const size = Math.abs(part);
  if (size && size * 1000 <= 0.5) return part > 0 ? "<0.1%" : ">-0.1%";
  const nearly = size > 0.99 && size < 1;
  const number = nearly ? Math.min(size * 100, 99.9) : size * 100;
  const places = size && (nearly || number < 9.95) ? 1 : 0;
  return written(part < 0 ? -number : number, "", { minimumFractionDigits: places, maximumFractionDigits: places }) + "%";
}

function forecast(band, symbol) {
  const [mean, low, high] = [band.mean, band.low80, band.high80].map((value) => about(value, symbol));
  return `forecast ${mean} (${low}–${high})`;
}

// Each place has a hue of its own; neighbours differ in lightness too. The last one is of everything else.
function hue(n, dark) {
  return `oklch(${(dark ? 0.72 : 0.6) + (n % 2 ? 0.1 : 0)} 0.15 ${(250 + n * 22.5) % 360})`;
}

function colours(element) {
  const style = getComputedStyle(element);
  const get = (name) => style.getPropertyValue(name).trim();
  return {
    bars: [...Array.from({ length: COLOURS }, (_, n) => hue(n, style.colorScheme.includes("dark"))), get("--series-7")],
    text: get("--muted"), grid: get("--line"), mark: { critical: get("--bad"), warning: get("--warn"), info: get("--accent"), note: get("--muted") },
  };
}

// What each kind of chart draws of the amounts of each series.
const KINDS = {
  Bars: (rows) => rows,
  Lines: (rows) => rows,
  Area: (rows) => rows,
  Cumulative: (rows) => rows.map((row) => { let sum = 0; return row.map((cost) => (sum += cost)); }),
  Share: (rows) => rows.map((row) => row.map((cost, i) => cost / (rows.reduce((sum, other) => sum + other[i], 0) || 1))),
};

function stack(costs) {
  // The last series is drawn first and holds the sum of all below it.
  const sums = [];
  costs.forEach((row, n) => sums.push(row.map((cost, i) => cost + (n ? sums[n - 1][i] : 0))));
  return sums;
}

// The kind and the series that are off, by title: newer figures change neither.
const choices = new Map();

export class Chart {
  constructor(figure) {
    this.figure = figure;
    this.title = figure.dataset.chart;
    this.plot = figure.querySelector(".plot");
    this.data = JSON.parse(figure.querySelector("script").textContent);
    this.at = null;
    if (!choices.has(this.title)) choices.set(this.title, { kind: "Bars", off: new Set() });
    this.choice = choices.get(this.title);
    this.plot.addEventListener("keydown", (event) => this.step(event));
    this.draw();
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.plot);
  }

  destroy() {
    this.observer.disconnect();
    this.uplot?.destroy();
  }

  resize() {
    const width = this.plot.clientWidth;
    if (this.uplot && width && width !== this.uplot.width) this.uplot.setSize({ width, height: this.uplot.height });
  }

  draw() {
    this.uplot?.destroy();
    this.colours = colours(this.figure);
    const { starts, names } = this.data;
    this.shown = KINDS[this.choice.kind](this.data.costs.map((row, n) => row.map((cost) => (this.choice.off.has(names[n]) ? 0 : Number(cost)))));
    this.write = this.choice.kind === "Share" ? percent : (value, bound) => money(value, this.data.symbol, bound);
    this.legend();
    this.tip = document.createElement("div");
    this.tip.className = "tip";
    this.tip.hidden = true;
    const { starts: next, bands } = this.band();
    const lines = this.choice.kind === "Lines";
    const sums = (lines ? this.shown : stack(this.shown)).map((row) => row.concat(Array(next.length).fill(null)));
    const before = this.overlay();
    const all = starts.concat(next);
    const order = names.map((_, n) => n).reverse();
    const half = this.length() / 2;
    const drawn = lines || this.choice.kind === "Area" ? uPlot.paths.linear() : uPlot.paths.bars({ size: [0.86, 60], align: 0, radius: 0 });
    this.uplot = new uPlot({
      width: this.plot.clientWidth || 600,
      height: this.plot.clientWidth < 500 ? 200 : 260,
      padding: [22, 16, 0, 0],
      legend: { show: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), this.data.zone),
      cursor: { y: false, points: { show: false }, drag: { setScale: false, x: true, dist: 8 } },
      scales: {
        x: { time: true, range: () => all.length ? [all[0] - half, all[all.length - 1] + half] : [0, 1] },
        y: { range: (_, __, max) => [0, this.choice.kind === "Share" ? 1 : Math.max(max ?? 0, ...bands.map((band) => band.high80)) * 1.06 || 1] },
      },
      axes: [
        { stroke: this.colours.text, grid: { show: false }, ticks: { show: false }, size: 34, space: 70, font: this.font(), values: this.times() },
        { stroke: this.colours.text, grid: { stroke: this.colours.grid, width: 1 }, ticks: { show: false }, size: 58, font: this.font(), values: (_, ticks) => ticks.map(this.choice.kind === "Share" ? percent : (tick) => axis(tick, this.data.symbol)) },
      ],
      series: [
        {},
        ...order.map((n) => ({ label: names[n], fill: lines ? undefined : this.colour(n), stroke: this.colour(n), width: lines ? 2 : 0, paths: drawn, points: { show: lines && all.length < 3 } })),
        ...before.map(() => ({ stroke: this.colours.text, width: 2, dash: [2, 4], points: { show: false } })),
      ],
      hooks: {
        setCursor: [(u) => this.show(u.cursor.idx)],
        setSelect: [(u) => this.zoom(u)],
        draw: [(u) => this.ahead(u, bands), (u) => this.marks(u)],
        setSize: [(u) => this.links(u)],
      },
    }, [all, ...order.map((n) => sums[n]), ...before.map((row) => row.concat(Array(next.length).fill(null)))], this.plot);
    this.uplot.over.append(this.tip);
    this.uplot.over.addEventListener("click", () => { if (!this.zoomed) this.open(this.uplot.cursor.idx); this.zoomed = false; });
    this.links(this.uplot);
  }

  // What the bars are compared with, one amount for each; a share has none.
  overlay() {
    const { compared } = this.data;
    if (!compared || this.choice.kind === "Share" || this.choice.off.has(compared.name)) return [];
    return [KINDS[this.choice.kind]([compared.costs.map(Number)])[0]];
  }

  // A drag over bars opens their time.
  zoom(u) {
    const { left, width } = u.select;
    if (width < 8) return;
    this.zoomed = true;
    const last = this.data.starts.length - 1;
    const [first, end] = [left, left + width].map((x) => Math.min(last, u.posToIdx(x)));
    this.range(first, end);
  }

  // Alerts and notes on the chart are links that say what they are.
  links(u) {
    this.plot.querySelectorAll(".marker").forEach((link) => link.remove());
    for (const mark of this.data.marks) {
      const x = u.valToPos(mark.at, "x");
      if (!mark.link || x < 0 || x > u.over.clientWidth) continue;
      const link = document.createElement("a");
      link.className = "marker";
      link.href = mark.severity === "note" && document.getElementById("notes") ? "#notes" : mark.link;
      link.title = [mark.title, mark.text].filter(Boolean).join("\n");
      link.setAttribute("aria-label", mark.title);
      link.style.left = `${u.over.offsetLeft + x - 12}px`;
      u.root.querySelector(".u-wrap").append(link);
    }
  }

  // The chart as a picture: its title with the filters and the kind, and a legend that says what each series and what
  // they are compared with come to.
  async save() {
    const chart = this.uplot.ctx.canvas;
    const [ratio, picture] = [uPlot.pxRatio, document.createElement("canvas")];
    const entry = (one, n) => ({ name: one.name, colour: n === undefined ? this.colours.text : this.colour(n), dashed: n === undefined, cost: one.costs.reduce((sum, cost) => sum + Number(cost), 0), bound: one.bounds.length > 0 });
    const series = this.data.names.map((name, n) => entry({ name, costs: this.data.costs[n], bounds: this.data.bounds[n] }, n)).filter((one) => !this.choice.off.has(one.name));
    const lines = [...series, ...(this.overlay().length ? [entry(this.data.compared)] : [])];
    if (this.band().bands.length) lines.push({ name: FORECAST, colour: this.colours.mark.info, dashed: true });
    const amount = (some) => money(some.reduce((sum, line) => sum + line.cost, 0), this.data.symbol, some.some((line) => line.bound));
    Object.assign(picture, { width: chart.width, height: chart.height + (44 + 20 * Math.ceil(lines.length / 3)) * ratio });
    const ctx = picture.getContext("2d");
    const style = getComputedStyle(document.body);
    ctx.fillStyle = getComputedStyle(this.figure.closest(".panel")).backgroundColor;
    ctx.fillRect(0, 0, picture.width, picture.height);
    ctx.drawImage(chart, 0, 32 * ratio);
    ctx.scale(ratio, ratio);
    ctx.fillStyle = style.color;
    ctx.font = `600 14px ${style.fontFamily}`;
    const kind = { Cumulative: ", cumulative", Share: ", shares" }[this.choice.kind] ?? "";
    const filters = this.figure.dataset.filters ? `, ${this.figure.dataset.filters}` : "";
    ctx.fillText(`${this.title}${kind}${filters}, ${this.data.labels[0]} – ${this.data.labels[this.data.labels.length - 1]} (${this.data.zone}): ${amount(series)}`, 12, 22, picture.width / ratio - 24);
    ctx.font = `12px ${style.fontFamily}`;
    lines.forEach((line, n) => {
      const [x, y] = [12 + (n % 3) * (chart.width / ratio / 3), 52 + chart.height / ratio + 20 * Math.floor(n / 3)];
      ctx.fillStyle = line.colour;
      if (line.dashed) [0, 4, 8].forEach((dash) => ctx.fillRect(x + dash, y - 5, 2, 2));
      else ctx.fillRect(x, y - 9, 10, 10);
      ctx.fillStyle = style.color;
      ctx.fillText(line.cost === undefined ? line.name : `${line.name} ${amount([line])}`, x + 16, y, chart.width / ratio / 3 - 24);
    });
    const file = document.createElement("a");
    file.href = URL.createObjectURL(await new Promise((done) => picture.toBlob(done)));
    file.download = "outlay.png";
    file.click();
    URL.revokeObjectURL(file.href);
  }

  // Opens a bar's own time in Explore; a minute is as far as it goes.
  open(index) {
    const { at, past } = this.place(index ?? -1);
    if (past && at !== undefined && this.data.bucket !== "minute") this.range(index, index);
  }

  range(first, last) {
    const moment = (seconds) => new Date(seconds * 1e3).toISOString().slice(0, 16) + "Z";
    const to = new URL("/explore" + (this.figure.dataset.view ?? location.search), location.href);
    ["range", "after"].forEach((name) => to.searchParams.delete(name));
    to.searchParams.set("from", moment(this.data.starts[first]));
    to.searchParams.set("to", moment(this.data.starts[last + 1] ?? this.data.end));
    location.assign(to);
  }

  // What is expected next: its first bucket has begun, so its bar is drawn already.
  band() {
    const ahead = this.choice.kind === "Bars" && !this.data.names.some((name) => this.choice.off.has(name)) && this.data.ahead;
    if (!ahead) return { starts: [], bands: [] };
    const last = this.data.starts[this.data.starts.length - 1];
    const bands = ahead.starts.map((at, n) => ({ at, mean: ahead.mean[n], low80: ahead.low80[n], high80: ahead.high80[n], low95: ahead.low95[n], high95: ahead.high95[n], label: ahead.labels[n] }));
    return { starts: ahead.starts.filter((at) => at > last), bands };
  }

  ahead(u, bands) {
    if (!bands.length) return;
    const { ctx, bbox } = u;
    const half = (u.valToPos(this.length(), "x", true) - u.valToPos(0, "x", true)) / 2;
    const x = (band) => u.valToPos(band.at, "x", true);
    const y = (value) => Math.max(bbox.top, u.valToPos(value, "y", true));
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.fillStyle = ctx.strokeStyle = this.colours.mark.info;
    for (const level of [95, 80]) {
      ctx.globalAlpha = level === 95 ? 0.12 : 0.2;
      ctx.beginPath();
      const first = bands[0], end = bands[bands.length - 1];
      ctx.moveTo(x(first) - half, y(first["high" + level]));
      for (const band of bands) ctx.lineTo(x(band), y(band["high" + level]));
      ctx.lineTo(x(end) + half, y(end["high" + level]));
      ctx.lineTo(x(end) + half, y(end["low" + level]));
      for (const band of [...bands].reverse()) ctx.lineTo(x(band), y(band["low" + level]));
      ctx.lineTo(x(first) - half, y(first["low" + level]));
      ctx.fill();
    }
    ctx.globalAlpha = 1;
    ctx.lineWidth = 2 * uPlot.pxRatio;
    ctx.setLineDash([5 * uPlot.pxRatio, 4 * uPlot.pxRatio]);
    ctx.beginPath();
    bands.forEach((band, n) => ctx[n ? "lineTo" : "moveTo"](x(band), y(band.mean)));
    ctx.stroke();
    ctx.restore();
  }

  font() { return "12px " + getComputedStyle(document.body).fontFamily; }

  times() {
    // Labels in the view's zone, in one style all over the console.
    const style = { minute: { hour: "2-digit", minute: "2-digit" }, hour: { hour: "2-digit", minute: "2-digit" }, day: { day: "numeric", month: "short" }, month: { month: "short", year: "2-digit" } }[this.data.bucket];
    const format = new Intl.DateTimeFormat("en-GB", { ...style, hourCycle: "h23", timeZone: this.data.zone });
    const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: this.data.zone });
    return (_, ticks) => ticks.map((tick, n) => {
      const at = new Date(tick * 1e3);
      const text = format.format(at);
      const fresh = n === 0 ? false : day.format(at) !== day.format(new Date(ticks[n - 1] * 1e3));
      return text === "00:00" || (fresh && this.data.bucket === "hour") ? day.format(at) : text;
    });
  }

  length() {
    const { starts, bucket } = this.data;
    if (starts.length > 1) return starts[1] - starts[0];
    return { minute: 60, hour: 3600, day: 86400, month: 2592000 }[bucket];
  }

  colour(n) {
    return this.colours.bars[this.data.colours[n]];
  }

  legend() {
    const legend = this.figure.querySelector(".legend");
    const button = (on, change, ...content) => {
      const made = document.createElement("button");
      made.type = "button";
      made.setAttribute("aria-pressed", on);
      made.append(...content);
      made.addEventListener("click", () => {
        const place = [...legend.querySelectorAll("button")].indexOf(made);
        change();
        this.draw();
        legend.querySelectorAll("button")[place].focus();
      });
      return made;
    };
    const swatch = () => document.createElement("i");
    const { off } = this.choice;
    legend.replaceChildren(...this.data.names.map((name, n) => {
      const colour = swatch();
      colour.style.background = this.colour(n);
      return button(!off.has(name), () => off.delete(name) || off.add(name), colour, name);
    }));
    const { compared } = this.data;
    if (compared && this.choice.kind !== "Share") {
      const dashes = swatch();
      dashes.className = "compared";
      legend.append(button(!off.has(compared.name), () => off.delete(compared.name) || off.add(compared.name), dashes, compared.name));
    }
    if (this.band().bands.length) {
      const item = document.createElement("span");
      const expected = swatch();
      expected.className = "expected";
      item.append(expected, FORECAST);
      legend.append(item);
    }
    if (this.data.starts.length < 2) return;
    const kinds = document.createElement("span");
    kinds.className = "kinds";
    kinds.append(...Object.keys(KINDS).map((kind) => button(kind === this.choice.kind, () => { this.choice.kind = kind; }, kind)));
    const save = document.createElement("button");
    save.type = "button";
    save.textContent = "PNG";
    save.title = "Download the chart as a picture";
    save.addEventListener("click", () => this.save());
    kinds.append(save);
    legend.append(kinds);
  }

  marks(u) {
    const { ctx } = u;
    ctx.save();
    for (const mark of [...this.data.marks].reverse()) {
      const x = u.valToPos(mark.at, "x", true);
      if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
      const ratio = uPlot.pxRatio;
      ctx.fillStyle = ctx.strokeStyle = this.colours.mark[mark.severity] || this.colours.mark.info;
      ctx.lineWidth = ratio;
      ctx.setLineDash([3 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(x, u.bbox.top);
      ctx.lineTo(x, u.bbox.top + u.bbox.height);
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.beginPath();
      const top = u.bbox.top - 4 * ratio;
      ctx.moveTo(x, top);
      ctx.lineTo(x - 6 * ratio, top - 11 * ratio);
      ctx.lineTo(x + 6 * ratio, top - 11 * ratio);
      ctx.fill();
    }
    ctx.restore();
  }

  lines(index) {
    const within = this.choice.kind === "Cumulative" ? (at) => at <= index : (at) => at === index;
    return this.data.names
      .map((name, n) => ({ name, n, cost: this.shown[n][index], bound: !this.choice.off.has(name) && this.data.bounds[n].some(within) }))
      .filter((line) => line.cost || line.bound).sort((a, b) => b.cost - a.cost);
  }

  // What all lines of a place come to.
  total(lines) {
    return this.write(lines.reduce((sum, line) => sum + line.cost, 0), lines.some((line) => line.bound));
  }

  near(index) {
    const start = this.data.starts[index];
    return this.data.marks.filter((mark) => mark.at >= start && mark.at < start + this.length());
  }

  // A place on the chart: a bar, a bucket that is still to come, or both.
  place(index) {
    const { starts, bands } = this.band();
    const known = this.data.starts.length;
    const at = index < known ? this.data.starts[index] : starts[index - known];
    const band = bands.find((one) => one.at === at);
    return { at, band, past: index < known, label: index < known ? this.data.labels[index] : band?.label };
  }

  show(index) {
    if (index === null || index === undefined || this.place(index).at === undefined) { this.tip.hidden = true; return; }
    const { at, band, past, label } = this.place(index);
    const lines = past ? this.lines(index) : [];
    const marks = past ? this.near(index) : [];
    this.tip.replaceChildren();
    const add = (tag, text, name) => { const e = document.createElement(tag); e.textContent = text; if (name) e.className = name; this.tip.append(e); return e; };
    add("b", label);
    if (past) add("p", this.total(lines), "total");
    if (band) add("p", forecast(band, this.data.symbol), past ? "mark" : "");
    for (const line of lines.slice(0, 8)) {
      const row = add("p", "");
      const swatch = document.createElement("i");
      swatch.style.background = this.colour(line.n);
      const name = document.createElement("span");
      name.textContent = line.name;
      const cost = document.createElement("span");
      cost.textContent = this.write(line.cost, line.bound);
      row.append(swatch, name, cost);
    }
    const before = past && this.data.compared?.costs[index];
    if (before !== undefined && before !== false && this.choice.kind !== "Share") add("p", `${this.data.compared.name}: ${money(Number(before), this.data.symbol, this.data.compared.bounds.includes(index))}`, "muted");
    for (const mark of marks) add("p", mark.title, "mark " + mark.severity);
    this.tip.hidden = false;
    const x = this.uplot.valToPos(at, "x");
    const right = x > this.uplot.over.clientWidth / 2;
    this.tip.style.left = right ? "auto" : `${x + 12}px`;
    this.tip.style.right = right ? `${this.uplot.over.clientWidth - x + 12}px` : "auto";
  }

  step(event) {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const last = this.data.starts.length + this.band().starts.length - 1;
    if (event.key === "Escape") { this.tip.hidden = true; return; }
    if (event.key === "Enter" && this.at !== null) { this.open(this.at); return; }
    if (!move || last < 0) return;
    event.preventDefault();
    this.at = this.at === null ? this.data.starts.length - 1 : Math.min(last, Math.max(0, this.at + move));
    this.show(this.at);
    const { band, past, label } = this.place(this.at);
    const lines = past ? this.lines(this.at) : [];
    const said = [label];
    if (past) said.push(this.total(lines), ...lines.slice(0, 3).map((line) => `${line.name} ${this.write(line.cost, line.bound)}`), ...this.near(this.at).map((mark) => mark.title));
    if (band) said.push(forecast(band, this.data.symbol));
    this.figure.querySelector("[aria-live]").textContent = said.join(", ");
  }
}
