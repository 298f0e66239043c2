// The buttons of an image, on its card and in the viewer.

import { nameOf } from "./image_catalog.js";

const SUFFIXES = { png: ".png", jpeg: ".jpg", webp: ".webp", svg: ".svg", pdf: ".pdf" };

/** Returns the name of an image's file, for a download: that of its recording, and the seed. */
export const fileNameOf = (image) =>
  `${nameOf(image).replace(/\.[^.]*$/, "")}-${image.seed}${SUFFIXES[image.format] ?? ""}`;

/** Returns the buttons; `actions` has a function for each of their names but download. */
export function renderActions(image, label, actions) {
  const row = document.getElementById("actions-template").content.cloneNode(true);
  for (const element of row.children) {
    const { action } = element.dataset;
    element.setAttribute("aria-label", `${element.textContent.trim()}: ${label}`);
    if (action === "download") {
      element.href = image.image_url;
      element.download = fileNameOf(image);
    } else {
      if (action === "keep") {
        element.dataset.imageId = image.image_id;
        element.setAttribute("aria-pressed", image.pinned);
      }
      element.addEventListener("click", () => actions[action](image));
    }
  }
  return row;
}

/** Shows on every button of an image whether it is kept. */
export function showKept({ image_id: id, pinned }) {
  for (const button of document.querySelectorAll(`[data-action="keep"][data-image-id="${id}"]`)) {
    button.setAttribute("aria-pressed", pinned);
  }
}
