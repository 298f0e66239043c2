// The buttons of an image, on its card and in the viewer.

import { nameOf } from "./image_catalog.js";

const SUFFIXES = { png: ".png", jpeg: ".jpg", webp: ".webp", svg: ".svg", pdf: ".pdf" };

/** Returns the name of an image's file, for a download: that of its recording, and the seed. */
export const fileNameOf = (image) =>
  `${nameOf(image).replace(/\.[^.]*$/, "")}-${image.seed}${SUFFIXES[image.format] ?? ""}`;

/** Returns the buttons; `actions` has a function for each of play, again, reproduce, findAlike and delete. */
export function renderActions(image, label, actions) {
  const row = document.getElementById("actions-template").content.cloneNode(true);
  for (const element of row.children) {
    const { action } = element.dataset;
    element.setAttribute("aria-label", `${element.textContent.trim()}: ${label}`);
    if (action === "download") {
      element.href = image.image_url;
      element.download = fileNameOf(image);
    } else {
      element.addEventListener("click", () => actions[action](image));
    }
  }
  return row;
}
