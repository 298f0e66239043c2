// Everything of this session as one file: each image, its recording if this browser has it, and how all were made.

import { saveFile } from "./save_file.js";
import { fileNameOf } from "../gallery/image_actions.js";
import { nameOf } from "../gallery/image_catalog.js";
import { zipped } from "./zip.js";

const ARCHIVE_NAME = "chladni.zip";

/** Saves all images of a catalog; returns how many. */
export async function saveAll(catalog, recordingStore) {
  while (catalog.hasMore) await catalog.loadOlder();
  const files = [];
  const saved = [];
  for (const image of catalog.images) {
    const response = await fetch(image.image_url);
    if (!response.ok) continue; // It expired meanwhile.
    files.push({ name: fileNameOf(image), content: await response.blob() });
    const kept = await recordingStore.find(image.image_id);
    if (kept) files.push({ name: nameOf(image), content: kept.file });
    saved.push(image);
  }
  const description = JSON.stringify({ images: saved }, null, 2);
  files.push({ name: "images.json", content: new Blob([description], { type: "application/json" }) });
  saveFile(await zipped(files), ARCHIVE_NAME);
  return saved.length;
}
