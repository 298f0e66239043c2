// The explanation of an image: what in the sound made what in the image, the most important first.

import { CORRESPONDENCES, correspondenceOf, rankOf, thirdOf } from "./correspondences.js";
import { make } from "../ui/elements.js";
import { describeDescriptor, humanName } from "../ui/format.js";

const EMBEDDED = "embedded";
const STRONG = 0.5; // Share of the strongest pitch class from which another counts as sounding.
const CHROMA = "chroma_";

/** Returns one sentence about what stands out, for a recipe whose correspondences are known. */
export function summaryOf(image) {
  if (image.recipe !== EMBEDDED) {
    return `These are the numbers that were measured. How the recipe “${image.recipe}” uses them is up to its model.`;
  }
  return whatStandsOut(image.descriptors);
}

export function whatStandsOut(descriptors) {
  const telling = tellingFirst(descriptors)
    .filter(({ third }) => third !== 1)
    .slice(0, 3);
  if (telling.length === 0) return "Nothing stands out: an ordinary sound in every respect.";
  return `What stands out: the sound is ${listed(telling.map(({ known, third }) => known.sound[third]))}.`;
}

/** Returns list items, one for every descriptor that is there. */
export function explanationOf(image) {
  const isExplained = image.recipe === EMBEDDED;
  const rows = tellingFirst(image.descriptors).map(({ descriptor, known, rank, third }) => {
    const scale = make("span", { className: "explanation__scale", ariaHidden: "true" });
    scale.style.setProperty("--at", rank.toFixed(3));
    return make("li", { className: "explanation__row", title: descriptor.description }, [
      make("span", { className: "explanation__name" }, [humanName(descriptor.name)]),
      make("span", { className: "explanation__value" }, [describeDescriptor(descriptor)]),
      scale,
      ...(isExplained ? [effect(known.sound[third], known.image[third])] : []),
    ]);
  });
  const pitches = pitchClasses(image.descriptors);
  if (pitches.length > 0) {
    const colors = pitches.length === 1 ? "one colour" : `${pitches.length} colours and their base hue`;
    rows.push(
      make("li", { className: "explanation__row" }, [
        make("span", { className: "explanation__name" }, ["pitch classes"]),
        make("span", { className: "explanation__value" }, [pitches.join(" ")]),
        ...(isExplained ? [effect(pitches.length > 5 ? "many notes" : "few notes", colors)] : []),
      ]),
    );
  }
  return rows;
}

function effect(sound, image) {
  return make("span", { className: "explanation__effect" }, [
    sound,
    make("span", { className: "explanation__arrow", ariaHidden: "true" }, [" → "]),
    make("span", { className: "visually-hidden" }, [" makes "]),
    make("em", {}, [image]),
  ]);
}

function tellingFirst(descriptors) {
  return descriptors
    .map((descriptor) => ({ descriptor, known: correspondenceOf(descriptor.name), rank: rankOf(descriptor) }))
    .filter(({ known, rank }) => known && rank !== null)
    .map((entry) => ({ ...entry, third: thirdOf(entry.rank) }))
    .sort((first, second) => Math.abs(second.rank - 0.5) - Math.abs(first.rank - 0.5));
}

function pitchClasses(descriptors) {
  return descriptors
    .filter(({ name, value }) => name.startsWith(CHROMA) && value >= STRONG)
    .map(({ name }) => name.slice(CHROMA.length).replace("_sharp", "♯").toUpperCase());
}

function listed(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** Returns the rows of the table of rules. */
export function ruleRows(...furtherRules) {
  const rows = CORRESPONDENCES.map(({ name, rule, after }) => [humanName(name), rule, after]);
  rows.push(...furtherRules.map(({ title, rule, after }) => [title, rule, after]));
  return rows.map(([name, rule, after]) =>
    make("tr", {}, [make("th", { scope: "row" }, [name]), make("td", {}, [rule]), make("td", {}, [after])]),
  );
}
