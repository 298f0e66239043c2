// Whether an image that was made again is the same, pixel by pixel.

import { make } from "../ui/elements.js";
import { formatCount } from "../ui/format.js";

const VISIBLE_GAIN = 8; // Differences are shown this much stronger than they are.

/** Returns how many pixels of two images differ, by how much at most, and a canvas that shows where. */
export async function comparePixels(firstAddress, secondAddress) {
  const [first, second] = await Promise.all([firstAddress, secondAddress].map(pixelsOf));
  const total = first.width * first.height;
  if (first.width !== second.width || first.height !== second.height) {
    return { total, differing: total, largest: 255, canvas: null };
  }
  const shown = new ImageData(first.width, first.height);
  let differing = 0;
  let largest = 0;
  for (let at = 0; at < first.data.length; at += 4) {
    let difference = 0;
    for (let channel = 0; channel < 3; channel += 1) {
      difference = Math.max(difference, Math.abs(first.data[at + channel] - second.data[at + channel]));
    }
    if (difference > 0) differing += 1;
    largest = Math.max(largest, difference);
    shown.data.fill(Math.min(255, difference * VISIBLE_GAIN), at, at + 3);
    shown.data[at + 3] = 255;
  }
  const canvas = make("canvas", { width: first.width, height: first.height });
  canvas.getContext("2d").putImageData(shown, 0, 0);
  return { total, differing, largest, canvas };
}

export function describeProof({ total, differing, largest }) {
  if (differing === 0) return `Identical: all ${formatCount(total)} pixels are the same.`;
  const share = Number(((100 * differing) / total).toPrecision(2));
  return `${formatCount(differing)} of ${formatCount(total)} pixels differ (${share} %), by at most ${largest} of 255 levels.`;
}

/** Returns the result in a few words, for the card of the image. */
export function stampOf({ differing }) {
  return differing === 0 ? "made again: identical" : `made again: ${formatCount(differing)} pixels differ`;
}

/** Returns the two images, the verdict, and where they differ. */
export function renderProof(original, copyAddress, result) {
  const isEqual = result.differing === 0;
  const verdict = make("p", { className: "proof__verdict", role: "status" }, [describeProof(result)]);
  verdict.dataset.level = isEqual ? "high" : "low";
  const side = (content, caption) =>
    make("figure", { className: "comparison__side" }, [content, make("figcaption", {}, [caption])]);
  const image = (src, alt) => make("img", { src, alt, width: 512, height: 512 });
  const sides = [
    side(image(original.image_url, "The image"), "The figure"),
    side(image(copyAddress, "The image made again"), "Made again"),
  ];
  if (!isEqual && result.canvas) {
    result.canvas.setAttribute("role", "img");
    result.canvas.setAttribute("aria-label", "Where they differ");
    sides.push(side(result.canvas, `Where they differ, ${VISIBLE_GAIN} times as strong`));
  }
  const note = isEqual
    ? "The same seed, settings and sound gave the same image. The copy was not kept."
    : "Another machine, another version or a setting without exactness can be the cause. The copy is kept among the figures.";
  return make("div", {}, [
    verdict,
    make("div", { className: "proof__sides" }, sides),
    make("p", { className: "proof__note" }, [note]),
  ]);
}

async function pixelsOf(address) {
  const image = make("img", { src: address });
  await image.decode();
  const canvas = make("canvas", { width: image.naturalWidth, height: image.naturalHeight });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}
