"use strict";
(() => {
  const root = document.documentElement;
  document.querySelector("button.theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  const at = (times, t) => {
    let low = 0, high = times.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (times[middle] <= t) low = middle; else high = middle - 1;
    }
    return low;
  };
  const shown = (v) => {
    const size = Math.abs(v);
    const digits = size >= 1e5 ? 0 : size >= 1 ? 2 : size === 0 ? 0 : 6;
    return v.toLocaleString("en-GB", { maximumFractionDigits: digits }).replace("-", "\u2212");
  };
  for (const figure of document.querySelectorAll("figure.chart")) {
    const source = figure.querySelector("script");
    if (!source) continue;
    const data = JSON.parse(source.textContent);
    const svg = figure.querySelector("svg"), cursor = svg.querySelector(".cursor");
    const readout = document.createElement("div");
    readout.className = "readout";
    readout.hidden = true;
    figure.append(readout);
    svg.addEventListener("pointerleave", () => { readout.hidden = true; cursor.setAttribute("hidden", ""); });
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const scale = svg.viewBox.baseVal.width / box.width;
      const x = (event.clientX - box.left) * scale;
      const part = Math.min(1, Math.max(0, (x - data.left) / data.width));
      const t = part * (data.high - data.low) / 1e6;
      const when = new Date(data.low / 1e6 + t).toISOString().replace("T", " ").slice(0, 19);
      readout.replaceChildren();
      const head = document.createElement("div");
      head.className = "when";
      head.textContent = data.elapsed ? when.slice(11) + " from the start" : when + " UTC";
      readout.append(head);
      for (const series of data.series) {
        const row = document.createElement("div"), name = document.createElement("span");
        const dot = document.createElement("i"), value = document.createElement("b");
        dot.className = series.css;
        name.append(dot, series.name);
        value.textContent = shown(series.v[at(series.t, t)]);
        row.append(name, value);
        readout.append(row);
      }
      const left = data.left + part * data.width;
      cursor.removeAttribute("hidden");
      cursor.setAttribute("transform", `translate(${left} 0)`);
      readout.hidden = false;
      const side = left / scale;
      readout.style.left = side > box.width / 2 ? "" : `${side + 14}px`;
      readout.style.right = side > box.width / 2 ? `${box.width - side + 14}px` : "";
    });
  }
})();
