"use strict";

// Reload the page periodically and replace the elements marked `data-live` and the charts' data.
// Pause while the user interacts with the page or the tab is hidden.
(() => {
  const page = document.getElementById("dashboard");
  const updated = document.getElementById("updated");
  const refreshing = document.getElementById("refreshing");
  const pause = document.getElementById("pause");
  const INTERACTION_MS = 4000; // how long an interaction delays the refresh
  const charts = new Map();
  let isPaused = false;
  let lastInteraction = -INTERACTION_MS;
  let lastRefresh = performance.now();
  let error = "";

  // Charts

  function cssColour(variable, className = "") {
    const probe = document.createElement("i");
    probe.className = className;
    probe.style.color = `var(${variable})`;
    page.append(probe);
    const colour = getComputedStyle(probe).color;
    probe.remove();
    return colour;
  }

  function dataset(series, plot) {
    const colour = cssColour("--plot-colour", `style-${series.style}`);
    const common = { label: series.name, data: series.values, borderColor: colour, backgroundColor: colour };
    if (series.kind === "line") return { ...common, type: "line", borderWidth: 2, pointRadius: 2, spanGaps: true };
    if (series.kind === "mark") {
      return { ...common, type: "line", showLine: false, pointStyle: "line", pointRadius: 22, borderWidth: 3, stack: "mark", order: -1 };
    }
    return { ...common, type: "bar", stack: plot.stacked ? "all" : undefined };
  }

  function draw(plot) {
    const canvas = document.getElementById(`plot-${plot.name}`);
    const data = { labels: plot.labels, datasets: plot.series.map((series) => dataset(series, plot)) };
    canvas.parentElement.hidden = !plot.series.some((series) => series.values.some(Boolean));
    const chart = charts.get(plot.name);
    if (chart) {
      for (const [index, old] of chart.data.datasets.entries()) {
        data.datasets[index].hidden = old.hidden;
      }
      chart.data = data;
      chart.update("none");
      return;
    }
    const text = cssColour("--body-fg"), grid = cssColour("--hairline-color");
    const axis = { ticks: { color: text }, grid: { color: grid }, border: { color: grid } };
    charts.set(plot.name, new Chart(canvas, {
      type: "bar",
      data,
      options: {
        animation: false,
        maintainAspectRatio: false,
        interaction: { mode: "index", intersect: false },
        plugins: { legend: { position: "bottom", labels: { color: text, boxWidth: 12 } } },
        scales: {
          x: { ...axis, stacked: plot.stacked, ticks: { color: text, maxRotation: 0, autoSkipPadding: 8 } },
          y: { ...axis, stacked: plot.stacked, beginAtZero: true, title: { display: true, text: plot.unit, color: text } },
        },
      },
    }));
  }

  function drawAll(source) {
    JSON.parse(source.getElementById("plots").textContent).forEach(draw);
  }

  function redraw() { // after a theme change, which changes the colours
    charts.forEach((chart) => chart.destroy());
    charts.clear();
    drawAll(document);
  }

  // Countdowns

  function formatDuration(seconds) {
    const whole = Math.max(0, Math.round(seconds));
    const pad = (number) => String(number).padStart(2, "0");
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
    return `${Math.floor(whole / 3600)} h ${pad(Math.floor(whole % 3600 / 60))} min ${pad(whole % 60)} s`;
  }

  function tick() {
    for (const countdown of page.querySelectorAll("[data-until]")) {
      const left = (Date.parse(countdown.dataset.until) - Date.now()) / 1000;
      countdown.textContent = left > 0 ? countdown.dataset.before + formatDuration(left) : countdown.dataset.over;
    }
    const state = error || (isPaused ? "Paused" : inUse() ? "Paused while you use the page" : `Refreshes every ${page.dataset.refreshSeconds} s`);
    if (refreshing.textContent !== state) refreshing.textContent = state;
  }

  // Refreshing

  function inUse() {
    return performance.now() - lastInteraction < INTERACTION_MS || !document.getSelection().isCollapsed;
  }

  function update(fresh) {
    for (const old of page.querySelectorAll("[data-live]")) {
      const replacement = fresh.getElementById(old.id);
      if (!replacement || old.contains(document.activeElement)) continue;
      for (const details of old.querySelectorAll("details[open]")) {
        const counterpart = fresh.getElementById(details.id);
        if (counterpart) counterpart.open = true;
      }
      if (old.innerHTML !== replacement.innerHTML) old.replaceChildren(...document.adoptNode(replacement).childNodes);
      old.className = replacement.className;
    }
    updated.textContent = fresh.getElementById("updated").textContent;
    page.dataset.refreshSeconds = fresh.getElementById("dashboard").dataset.refreshSeconds;
    drawAll(fresh);
  }

  async function refresh() {
    lastRefresh = performance.now();
    try {
      const response = await fetch(location.href, { redirect: "manual", cache: "no-store" });
      if (response.type === "opaqueredirect" || response.status === 403) {
        error = "Not refreshed: you are signed out. Reload the page.";
      } else if (!response.ok) {
        error = `Not refreshed: the server returned status ${response.status}.`;
      } else {
        update(new DOMParser().parseFromString(await response.text(), "text/html"));
        error = "";
      }
    } catch {
      error = "Not refreshed: the server is unreachable.";
    }
    lastRefresh = performance.now();
    tick();
  }

  function refreshIfDue() {
    tick();
    const isDue = performance.now() - lastRefresh >= page.dataset.refreshSeconds * 1000;
    if (isDue && !isPaused && !inUse() && !document.hidden) refresh();
  }

  for (const type of ["pointermove", "pointerdown", "keydown", "wheel", "touchstart", "focusin"]) {
    page.addEventListener(type, () => { lastInteraction = performance.now(); }, { passive: true });
  }
  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.textContent = isPaused ? "Resume" : "Pause";
    lastInteraction = -INTERACTION_MS;
    if (!isPaused) refresh();
    tick();
  });
  pause.hidden = false;
  new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  drawAll(document);
  tick();
  setInterval(refreshIfDue, 1000);
})();
