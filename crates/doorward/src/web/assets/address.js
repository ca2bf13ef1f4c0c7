// Asks our name of the other family which address it sees, and lets the forms admit that one, too.
"use strict";

(() => {
  const place = document.querySelector("[data-probe]");
  if (!place) return;
  // A statement is believed for two minutes.
  const EVERY = 90_000;

  const element = (name, attributes, ...children) => {
    const made = document.createElement(name);
    for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
    made.append(...children);
    return made;
  };

  const show = (address) => {
    const family = place.querySelector(".family");
    place.replaceChildren(family, element("code", {}, address));
  };

  const offer = (form, { address, statement }) => {
    const choice = form.querySelector("[data-admit]");
    let field = form.querySelector("input[name=statement]");
    if (!field) {
      field = element("input", { type: "hidden", name: "statement" });
      const chosen = element("input", { type: "checkbox", name: "admit", value: "other" });
      // Both by default: a program on this machine may take either.
      chosen.checked = true;
      choice.append(
        field,
        element("input", { type: "hidden", name: "choose", value: "1" }),
        element("label", { class: "check" }, chosen, element("code", {}, address)),
      );
      choice.hidden = false;
    }
    field.value = statement;
    choice.querySelector("label.check:last-of-type code").textContent = address;
  };

  const ask = async () => {
    try {
      const url = `${place.dataset.probe}/address?nonce=${encodeURIComponent(place.dataset.nonce)}`;
      const answer = await fetch(url, { mode: "cors", credentials: "omit", cache: "no-store" });
      if (!answer.ok) return;
      const seen = await answer.json();
      if (seen.family !== place.dataset.family) return;
      show(seen.address);
      document.querySelectorAll("form[action$='/grants']").forEach((form) => offer(form, seen));
    } catch {
      // This machine has no address of that family, or the way there is barred: the link stays.
    }
  };

  ask();
  setInterval(() => !document.hidden && ask(), EVERY);
  document.addEventListener("visibilitychange", () => !document.hidden && ask());
})();
