/**
 * Loads the page, again if need be. Chromium drops what it is loading when the machine's network interfaces change
 * (ERR_NETWORK_CHANGED), and on a Docker host they change whenever a container starts or stops.
 */
const KEY = "room137.loads";
const MOST_LOADS = 5;
const PAUSE_MS = 300;

import("./main.js").then(
  () => sessionStorage.removeItem(KEY),
  () => {
    const loads = Number(sessionStorage.getItem(KEY) ?? 0) + 1;
    sessionStorage.setItem(KEY, String(loads));
    if (loads < MOST_LOADS) setTimeout(() => location.reload(), PAUSE_MS);
    else {
      sessionStorage.removeItem(KEY);
      const banner = document.getElementById("banner");
      if (!banner) return;
      banner.textContent = "The page could not be loaded whole. Look whether the local room still runs, then reload.";
      banner.hidden = false;
    }
  },
);
