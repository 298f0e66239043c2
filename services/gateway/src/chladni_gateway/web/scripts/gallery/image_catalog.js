// The images of this session, as the server lists them, each with the number that it got when it was first seen.

import { fetchImages } from "../api/gateway.js";

const PAGE = 100;
const KEY = "figure-numbers";
const REMOVED_KEY = "removed-figures";

export class ImageCatalog {
  /** Newest first. */
  images = [];
  nextToken = ""; // Of the first page that is not shown.

  constructor({ onChange }) {
    this.onChange = onChange;
    /** What an earlier page of this browser removed as it was left, perhaps in vain. */
    this.left = new Set(loadRemoved());
    this.leftovers = []; // Of these, what the server still lists.
    this.removed = new Set(this.left);
    this.numbers = loadNumbers();
    this.asked = this.answered = 0; // Which listing was asked for last, and which one is shown.
  }

  get hasMore() {
    return this.nextToken !== "";
  }

  find(imageId) {
    return this.images.find(({ image_id: id }) => id === imageId);
  }

  number(imageId) {
    return this.numbers[imageId];
  }

  /** A name for people: "Fig. 3, voice.wav". */
  label(image) {
    return `Fig. ${this.number(image.image_id)}, ${nameOf(image)}`;
  }

  /** Fetches the newest images; those that the server no longer has are removed. */
  async load() {
    const before = new Set(this.images);
    const asked = (this.asked += 1);
    const { images: listed, nextToken } = await fetchImages({ size: PAGE });
    if (asked < this.answered) return; // A newer listing was faster.
    this.answered = asked;
    // What came or went while the answer was on its way.
    const added = this.images.filter(
      (image) => !before.has(image) && !listed.some(({ image_id: id }) => id === image.image_id),
    );
    const images = [...added, ...this.withoutRemoved(listed)];
    this.leftovers = listed.map(({ image_id: id }) => id).filter((id) => this.left.has(id));
    const oldest = images.at(-1);
    // Older pages that were shown stay; the newest page is as the server says.
    const known = this.images.findIndex(({ image_id: id }) => id === oldest?.image_id);
    const older = known >= 0 && nextToken ? this.images.slice(known + 1) : [];
    if (older.length === 0) this.nextToken = nextToken;
    this.set([...images, ...older]);
  }

  async loadOlder() {
    try {
      const { images, nextToken } = await fetchImages({ size: PAGE, token: this.nextToken });
      this.nextToken = nextToken;
      this.set([...this.images, ...this.withoutRemoved(images).filter(({ image_id: id }) => !this.find(id))]);
    } catch (error) {
      if (error.code !== "UNKNOWN_IMAGE") throw error;
      this.images = []; // The image after which the page begins is gone; begin with the first page.
      await this.load();
    }
  }

  withoutRemoved(images) {
    return images.filter(({ image_id: id }) => !this.removed.has(id));
  }

  add(image) {
    if (!this.find(image.image_id)) this.set([image, ...this.images]);
  }

  remove(imageId) {
    this.removed.add(imageId);
    this.set(this.images.filter(({ image_id: id }) => id !== imageId));
  }

  /** Lets the next page leave out what is removed, which the server may still have, and finish that. */
  keepRemoved(imageIds) {
    saveRemoved([...loadRemoved(), ...imageIds]);
  }

  /** Forgets what earlier pages removed, but for some images. */
  forgetRemoved({ but }) {
    this.left = new Set(but);
    saveRemoved(but);
  }

  /** Brings removed images back to their places. */
  restore(images) {
    for (const { image_id: id } of images) this.removed.delete(id);
    const all = [...this.images, ...images.filter(({ image_id: id }) => !this.find(id))];
    this.set(all.sort((first, second) => Date.parse(second.create_time) - Date.parse(first.create_time)));
  }

  set(images) {
    this.images = images;
    this.numbers = { ...loadNumbers(), ...this.numbers };
    let last = Math.max(0, ...Object.values(this.numbers));
    for (const { image_id: id } of [...images].reverse()) this.numbers[id] ??= last += 1;
    saveNumbers(this.numbers, images);
    this.onChange();
  }
}

/** Returns the address of what stands for an image on the page: no browser shows a PDF among other images. */
export const shownAddressOf = (image) => (image.format === "pdf" ? "/static/pdf.svg" : image.image_url);

export function nameOf(image) {
  return image.display_name || "recording";
}

// Numbers are a convenience: if the browser keeps nothing, they are assigned again.

function loadNumbers() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

function saveNumbers(numbers, images) {
  const kept = images.length > 0 ? numbers : {};
  try {
    localStorage.setItem(KEY, JSON.stringify(kept));
  } catch {
    // Nothing to do.
  }
}

function loadRemoved() {
  try {
    const imageIds = JSON.parse(localStorage.getItem(REMOVED_KEY));
    return Array.isArray(imageIds) ? imageIds : [];
  } catch {
    return [];
  }
}

function saveRemoved(imageIds) {
  try {
    if (imageIds.length > 0) localStorage.setItem(REMOVED_KEY, JSON.stringify(imageIds));
    else localStorage.removeItem(REMOVED_KEY);
  } catch {
    // Then it shows up again.
  }
}
