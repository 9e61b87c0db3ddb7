"use strict";

// The page asks for itself again and takes over the parts that are marked `data-live`, and the charts' values.
// While somebody uses it, or nobody sees it, it waits.
(() => {
  const page = document.getElementById("dashboard");
  const updated = document.getElementById("updated");
  const refreshing = document.getElementById("refreshing");
  const pause = document.getElementById("pause");
  const IN_USE = 4000; // milliseconds after the last touch
  const charts = new Map();
  let isPaused = false;
  let touched = -IN_USE;
  let asked = performance.now();
  let trouble = "";

  // Charts

  function colour(style) {
    const probe = document.createElement("i");
    probe.className = `style-${style}`;
    probe.style.color = "var(--plot-colour)";
    page.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }

  function cssColour(name) {
    const probe = document.createElement("i");
    probe.style.color = `var(${name})`;
    page.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }

  function dataset(series, plot) {
    const shade = colour(series.style);
    const common = { label: series.name, data: series.values, borderColor: shade, backgroundColor: shade };
    if (series.kind === "line") return { ...common, type: "line", borderWidth: 2, pointRadius: 2, spanGaps: true };
    if (series.kind === "mark") {
      return { ...common, type: "line", showLine: false, pointStyle: "line", pointRadius: 22, borderWidth: 3, stack: "mark", order: -1 };
    }
    return { ...common, type: "bar", stack: plot.stacked ? "all" : undefined };
  }

  function draw(plot) {
    const canvas = document.getElementById(`plot-${plot.name}`);
    const data = { labels: plot.labels, datasets: plot.series.map((one) => dataset(one, plot)) };
    canvas.parentElement.hidden = !plot.series.some((one) => one.values.some(Boolean));
    const known = charts.get(plot.name);
    if (known) {
      for (const [place, one] of known.data.datasets.entries()) {
        data.datasets[place].hidden = one.hidden;
      }
      known.data = data;
      known.update("none");
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

  function redraw() { // another theme has other colours
    charts.forEach((chart) => chart.destroy());
    charts.clear();
    drawAll(document);
  }

  // Times that go on between two looks

  function span(seconds) {
    const whole = Math.max(0, Math.round(seconds));
    const two = (number) => String(number).padStart(2, "0");
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
    return `${Math.floor(whole / 3600)} h ${two(Math.floor(whole % 3600 / 60))} min ${two(whole % 60)} s`;
  }

  function tick() {
    for (const one of page.querySelectorAll("[data-until]")) {
      const left = (Date.parse(one.dataset.until) - Date.now()) / 1000;
      one.textContent = left > 0 ? one.dataset.before + span(left) : one.dataset.over;
    }
    const state = trouble || (isPaused ? "Paused." : inUse() ? "Waits while you use the page." : `Refreshed every ${page.dataset.every} s.`);
    if (refreshing.textContent !== state) refreshing.textContent = state;
  }

  // Refreshing

  function inUse() {
    return performance.now() - touched < IN_USE || !document.getSelection().isCollapsed;
  }

  function takeOver(fresh) {
    for (const old of page.querySelectorAll("[data-live]")) {
      const one = fresh.getElementById(old.id);
      if (!one || old.contains(document.activeElement)) continue;
      for (const details of old.querySelectorAll("details[open]")) {
        const same = fresh.getElementById(details.id);
        if (same) same.open = true;
      }
      if (old.innerHTML !== one.innerHTML) old.replaceChildren(...document.adoptNode(one).childNodes);
      old.className = one.className;
    }
    const stamp = fresh.getElementById("updated");
    updated.textContent = stamp.textContent;
    page.dataset.every = fresh.getElementById("dashboard").dataset.every;
    drawAll(fresh);
  }

  async function refresh() {
    asked = performance.now();
    try {
      const answer = await fetch(location.href, { redirect: "manual", cache: "no-store" });
      if (answer.type === "opaqueredirect" || answer.status === 403) {
        trouble = "Not refreshed: you are logged out; load the page again.";
      } else if (!answer.ok) {
        trouble = `Not refreshed: the server answered ${answer.status}.`;
      } else {
        takeOver(new DOMParser().parseFromString(await answer.text(), "text/html"));
        trouble = "";
      }
    } catch (error) {
      trouble = "Not refreshed: the server cannot be reached.";
    }
    asked = performance.now();
    tick();
  }

  function look() {
    tick();
    const isDue = performance.now() - asked >= page.dataset.every * 1000;
    if (isDue && !isPaused && !inUse() && !document.hidden) refresh();
  }

  for (const kind of ["pointermove", "pointerdown", "keydown", "wheel", "touchstart", "focusin"]) {
    page.addEventListener(kind, () => { touched = performance.now(); }, { passive: true });
  }
  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.textContent = isPaused ? "Go on" : "Pause";
    touched = -IN_USE;
    if (!isPaused) refresh();
    tick();
  });
  pause.hidden = false;
  new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  drawAll(document);
  tick();
  setInterval(look, 1000);
})();
