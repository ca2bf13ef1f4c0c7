// Counts down what is open, and fetches what changed without touching what somebody is just typing.
"use strict";

(() => {
  // What was closed elsewhere is not shown as open for longer.
  const REFRESH = 5_000;
  const ANNOUNCED = [600, 300, 60];
  const page = document.getElementById("live");
  const say = document.getElementById("say");

  // The server's clock decides; the page was made at its time, so a wrong clock here does no harm.
  const skew = (date) => (date ? new Date(date).getTime() - Date.now() : 0);
  let ahead = 0;
  const now = () => Date.now() + ahead;

  const announce = (text) => {
    say.textContent = text;
  };

  const words = (seconds) => {
    const pad = (number) => String(number).padStart(2, "0");
    const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
    if (hours > 0) return `${hours} h ${pad(minutes)} min ${pad(seconds % 60)} s left`;
    if (minutes > 0) return `${minutes} min ${pad(seconds % 60)} s left`;
    return `${seconds} s left`;
  };

  // All in the reader's zone, which is named; what the server wrote is in UTC and stays as a title.
  const parts = { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" };
  const toTheMinute = new Intl.DateTimeFormat(undefined, { ...parts, timeZoneName: "short" });
  const toTheSecond = new Intl.DateTimeFormat(undefined, { ...parts, second: "2-digit", timeZoneName: "short" });
  const inLocalTime = (root) => {
    for (const time of root.querySelectorAll("time[datetime]:not([title])")) {
      time.title = time.textContent;
      const format = time.classList.contains("exact") ? toTheSecond : toTheMinute;
      time.textContent = format.format(new Date(time.dateTime));
    }
    // An option can hold nothing but text.
    for (const option of root.querySelectorAll("option[data-instant]:not([title])")) {
      option.title = option.textContent;
      const said = toTheMinute.format(new Date(option.dataset.instant));
      option.textContent = option.textContent.replace(/\d{4}-\d\d-\d\d \d\d:\d\d UTC/, said);
    }
  };

  const announced = new Map();
  let refreshing = false;
  let asked = 0;

  const tick = () => {
    if (!page) return;
    let over = false;
    for (const timer of page.querySelectorAll("[role=timer][data-until]")) {
      const left = Math.max(0, Math.ceil((Date.parse(timer.dataset.until) - now()) / 1000));
      timer.textContent = left > 0 ? words(left) : "over";
      over ||= left === 0;
      const key = `${timer.dataset.name} ${timer.dataset.until}`;
      const due = ANNOUNCED.filter((at) => left > 0 && left <= at).at(-1);
      // Not at the first look: only what passes while somebody listens.
      if (announced.has(key) && due && announced.get(key) !== due) {
        announce(`${timer.dataset.name}: ${Math.round(left / 60)} min left`);
      }
      announced.set(key, due);
    }
    for (const bar of page.querySelectorAll("progress[data-until]")) {
      bar.value = Math.max(0, (Date.parse(bar.dataset.until) - now()) / 1000);
    }
    if (over && Date.now() - asked > 2000) refresh();
  };

  const busy = (element) =>
    element.contains(document.activeElement) && document.activeElement !== document.body;

  // Brings `old` to `fresh`, child by child: what has the same version stays as it is, with all that was typed in it.
  const merge = (old, fresh) => {
    const keyed = (parent) => [...parent.children].filter((child) => child.dataset.key);
    const kept = new Map(keyed(old).map((child) => [child.dataset.key, child]));
    let before = null;
    for (const child of keyed(fresh)) {
      let mine = kept.get(child.dataset.key);
      kept.delete(child.dataset.key);
      if (!mine) {
        mine = document.importNode(child, true);
        if (before) before.after(mine);
        else if (keyed(old)[0]) keyed(old)[0].before(mine);
        else old.append(mine);
      } else if (mine.dataset.version !== child.dataset.version && !busy(mine)) {
        const next = document.importNode(child, true);
        mine.replaceWith(next);
        mine = next;
      } else if ("list" in mine.dataset) {
        merge(mine, child);
      }
      before = mine;
    }
    for (const gone of kept.values()) {
      if (busy(gone)) {
        const heading = gone.closest("section")?.querySelector("h2");
        heading?.setAttribute("tabindex", "-1");
        heading?.focus();
      }
      if (gone.classList.contains("grant")) announce(`${gone.querySelector("h3").textContent} has ended`);
      gone.remove();
    }
  };

  const refresh = async () => {
    if (!page || refreshing) return;
    refreshing = true;
    asked = Date.now();
    try {
      const answer = await fetch(page.dataset.live, { credentials: "same-origin", cache: "no-store" });
      if (answer.redirected) {
        clearInterval(timer);
        announce("You are signed out.");
        // Beside the page on which everything begins, wherever that is.
        location.replace(new URL("sign-in", document.querySelector(".brand").href));
        return;
      }
      if (!answer.ok) return;
      ahead = skew(answer.headers.get("date"));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
      if (fresh) merge(page, fresh);
      inLocalTime(page);
      tick();
    } catch {
      // The network is away; the next time will do.
    } finally {
      refreshing = false;
    }
  };

  const url = new URL(location.href);
  if (url.searchParams.has("note")) {
    // What was said once is not said again on reload.
    url.searchParams.delete("note");
    history.replaceState(null, "", url);
  }
  inLocalTime(document);
  tick();
  const timer = page && setInterval(tick, 1000);
  if (page) {
    setInterval(() => !document.hidden && refresh(), REFRESH);
    document.addEventListener("visibilitychange", () => !document.hidden && refresh());
    // Once at the start, for the server's clock.
    refresh();
  }
})();
