// Points out the lines of a box while somebody looks at it. Without this the picture says the same by its links.
"use strict";

(() => {
  for (const picture of document.querySelectorAll(".picture")) {
    const show = (node) => {
      picture.classList.toggle("lit", Boolean(node));
      for (const way of picture.querySelectorAll(".wire.on")) way.classList.remove("on");
      if (!node) return;
      for (const way of picture.querySelectorAll(`.wire.${CSS.escape(node.id)}`)) way.classList.add("on");
    };
    const node = (event) => event.target.closest?.(".node");
    picture.addEventListener("pointerover", (event) => show(node(event)));
    picture.addEventListener("pointerleave", () => show(null));
    picture.addEventListener("focusin", (event) => show(node(event)));
    picture.addEventListener("focusout", () => show(null));
  }
})();
