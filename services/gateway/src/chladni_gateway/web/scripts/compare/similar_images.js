// The images that are most similar to one.

import { nameOf, shownAddressOf } from "../gallery/image_catalog.js";
import { make } from "../ui/elements.js";

/**
 * @param {object} image the one
 * @param {{image: object, percentage: string, level: string}[]} matches best first
 * @param {object} listener
 * @param {(image: object) => string} listener.label names an image
 * @param {(image: object) => void} listener.onPick called for the one that is to be shown beside it
 */
export function renderSimilarImages(image, matches, { label, onPick }) {
  if (matches.length === 0)
    return make("p", { className: "collection__empty" }, [
      "There is no other figure yet. Make some more, then ask again.",
    ]);
  const items = matches.map(({ image: other, percentage, level }) => {
    const button = make("button", { type: "button", className: "similar__button" }, [
      make("img", { src: shownAddressOf(other), alt: "", width: 160, height: 160, loading: "lazy" }),
      make("span", { className: "similar__score" }, [
        percentage,
        make("span", { className: "visually-hidden" }, [" alike: "]),
      ]),
      make("span", { className: "similar__name" }, [label(other)]),
    ]);
    button.dataset.level = level;
    button.addEventListener("click", () => onPick(other));
    return make("li", {}, [button]);
  });
  return make(
    "ol",
    { className: "similar__list", ariaLabel: `Figures alike to ${nameOf(image)}, most alike first` },
    items,
  );
}
