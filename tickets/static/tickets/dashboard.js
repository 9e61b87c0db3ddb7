"use strict";

// Reload the page periodically and replace the elements marked `data-live`.
// Pause while the user interacts with the page or the tab is hidden.
(() => {
  const page = document.getElementById("dashboard");
  const updated = document.getElementById("updated");
  const refreshing = document.getElementById("refreshing");
  const pause = document.getElementById("pause");
  const INTERACTION_MS = 4000; // how long an interaction delays the refresh
  let isPaused = false;
  let lastInteraction = -INTERACTION_MS;
  let lastRefresh = performance.now();
  let error = "";

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
  tick();
  setInterval(refreshIfDue, 1000);
})();
