// The recordings that this browser keeps: by job while an image is made, by image afterwards.
//
// The server forgets a recording with its request, so listening and making an image again need this copy. Where
// the browser refuses a database (private windows of some), the copies last as long as the page.

const DATABASE = "chladni";
const VERSION = 1;
const FORGOTTEN_AFTER_MS = 8 * 24 * 60 * 60 * 1000;

export class Clips {
  constructor() {
    this.memory = { clips: new Map(), jobs: new Map() };
    this.opening = null;
  }

  /** Returns `{file, spectrogram}` for an image; undefined where this browser has none. */
  clip(imageId) {
    return this.get("clips", imageId);
  }

  /** Keeps the recording of an image, and its spectrogram once there is one. */
  keepClip(imageId, { file, spectrogram = null }) {
    return this.put("clips", imageId, { file, spectrogram, keptAt: Date.now() });
  }

  dropClip(imageId) {
    return this.change(
      "clips",
      (store) => store.delete(imageId),
      () => this.memory.clips.delete(imageId),
    );
  }

  job(jobId) {
    return this.get("jobs", jobId);
  }

  keepJob(jobId, { file, settings, purpose }) {
    return this.put("jobs", jobId, { file, settings, purpose, keptAt: Date.now() });
  }

  /** Returns what was kept for a job and forgets it: of several tabs, one gets it. */
  async takeJob(jobId) {
    const inMemory = this.memory.jobs.get(jobId);
    this.memory.jobs.delete(jobId);
    const database = await this.open();
    if (!database) return inMemory;
    const transaction = database.transaction("jobs", "readwrite");
    const store = transaction.objectStore("jobs");
    const found = await settled(store.get(jobId));
    store.delete(jobId);
    return found ?? inMemory;
  }

  /** Forgets what is so old that no server can still have its image. */
  async tidy() {
    const database = await this.open();
    if (!database) return;
    const before = Date.now() - FORGOTTEN_AFTER_MS;
    for (const name of ["clips", "jobs"]) {
      const request = database.transaction(name, "readwrite").objectStore(name).openCursor();
      request.onsuccess = () => {
        const cursor = request.result;
        if (!cursor) return;
        if (cursor.value.keptAt < before) cursor.delete();
        cursor.continue();
      };
    }
  }

  async get(name, key) {
    const database = await this.open();
    const found =
      database && (await settled(database.transaction(name).objectStore(name).get(key)).catch(() => null));
    return found ?? this.memory[name].get(key);
  }

  put(name, key, value) {
    return this.change(
      name,
      (store) => store.put(value, key),
      () => this.memory[name].set(key, value),
    );
  }

  /** Changes the database, or the memory where that fails: the browser may have no room left. */
  async change(name, inDatabase, inMemory) {
    const database = await this.open();
    try {
      if (!database) throw new Error("no database");
      await settled(inDatabase(database.transaction(name, "readwrite").objectStore(name)));
    } catch {
      inMemory();
    }
  }

  open() {
    this.opening ??= new Promise((resolve) => {
      try {
        const request = indexedDB.open(DATABASE, VERSION);
        request.onupgradeneeded = () =>
          ["clips", "jobs"].forEach((name) => request.result.createObjectStore(name));
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => resolve(null);
        request.onblocked = () => resolve(null);
      } catch {
        resolve(null);
      }
    });
    return this.opening;
  }
}

function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
