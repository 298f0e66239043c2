// A matrix of similarities as a heat map: the more alike, the more sand.

import { shownAddressOf } from "../gallery/image_catalog.js";
import { make } from "../ui/elements.js";

const PLATE = [24, 21, 18];
const BRASS = [150, 100, 44];
const SAND = [248, 232, 196];
const DARK_TEXT_FROM = 0.53; // There black and white both have a contrast of 4.5.

/**
 * @param {{image: object, number: string, name: string}[]} labels
 * @param {{scores: number[][], percentages: string[][]}} result in the order of the labels
 * @param {{onPick: (first: object, second: object) => void}} listener
 */
export function renderMatrix(labels, { scores, percentages }, { onPick }) {
  const head = make("tr", {}, [
    make("td", {}),
    ...labels.map((label) => make("th", { scope: "col", title: label.name }, [image(label), label.number])),
  ]);
  const rows = labels.map((label, row) =>
    make("tr", {}, [
      make("th", { scope: "row", title: label.name }, [image(label), label.number]),
      ...labels.map((other, column) => {
        const percentage = percentages[row][column].replace("%", "");
        const text = row === column ? percentage : pairButton(label, other, percentage, onPick);
        return cell(text, scores[row][column]);
      }),
    ]),
  );
  const table = make("table", { className: "matrix__table" }, [
    make("caption", {}, ["Similarity in percent. A cell shows its pair side by side."]),
    make("thead", {}, [head]),
    make("tbody", {}, rows),
  ]);
  table.style.setProperty("--count", String(labels.length));
  const scroll = make(
    "div",
    { className: "matrix__scroll", tabIndex: 0, role: "region", ariaLabel: "Similarity matrix" },
    [table],
  );
  const legend = make("p", { className: "matrix__legend", ariaHidden: "true" }, [
    "0",
    make("span", { className: "matrix__ramp" }),
    "100",
  ]);
  return make("div", {}, [scroll, legend]);
}

function image({ image }) {
  return make("img", { src: shownAddressOf(image), alt: "", width: 48, height: 48 });
}

function pairButton(first, second, percentage, onPick) {
  const button = make("button", { type: "button", className: "matrix__button" }, [percentage]);
  button.setAttribute(
    "aria-label",
    `${first.number} and ${second.number}: ${percentage} percent. Show side by side.`,
  );
  button.addEventListener("click", () => onPick(first.image, second.image));
  return button;
}

function cell(content, score) {
  const element = make("td", { className: "matrix__cell" }, [content]);
  element.style.backgroundColor = colorOf(score);
  element.style.color = score >= DARK_TEXT_FROM ? "#000" : "#fff";
  return element;
}

function colorOf(score) {
  const [from, to, share] = score < 0.5 ? [PLATE, BRASS, score * 2] : [BRASS, SAND, score * 2 - 1];
  return `rgb(${from.map((value, i) => Math.round(value + share * (to[i] - value))).join(" ")})`;
}
