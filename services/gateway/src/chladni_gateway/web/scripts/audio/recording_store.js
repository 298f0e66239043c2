// The recordings that this browser keeps: by job while an image is made, by image afterwards.
//
// The server keeps no recording after its request, so playing it and making an image again need this copy. If the
// browser refuses a database (some do in private windows), the copies last as long as the page.

const DATABASE = "chladni";
const VERSION = 1;
// Object stores, by the names that they have in the databases of browsers.
const RECORDINGS = "clips";
const JOBS = "jobs";
const MAX_AGE_MS = 8 * 24 * 60 * 60 * 1000;

export class RecordingStore {
  constructor() {
    this.memory = { [RECORDINGS]: new Map(), [JOBS]: new Map() };
    this.opening = null;
  }

  /** Returns `{file, spectrogram}` for an image; undefined if this browser has none. */
  find(imageId) {
    return this.get(RECORDINGS, imageId);
  }

  /** Keeps the recording of an image, and its spectrogram once there is one. */
  keep(imageId, { file, spectrogram = null }) {
    return this.put(RECORDINGS, imageId, { file, spectrogram, keptAt: Date.now() });
  }

  drop(imageId) {
    return this.change(
      RECORDINGS,
      (store) => store.delete(imageId),
      () => this.memory[RECORDINGS].delete(imageId),
    );
  }

  findJob(jobId) {
    return this.get(JOBS, jobId);
  }

  keepJob(jobId, { file, settings, purpose }) {
    return this.put(JOBS, jobId, { file, settings, purpose, keptAt: Date.now() });
  }

  /** Returns what was kept for a job and removes it: of several tabs, one gets it. */
  async takeJob(jobId) {
    const inMemory = this.memory[JOBS].get(jobId);
    this.memory[JOBS].delete(jobId);
    const database = await this.open();
    if (!database) return inMemory;
    try {
      const store = database.transaction(JOBS, "readwrite").objectStore(JOBS);
      const found = await settled(store.get(jobId));
      store.delete(jobId);
      return found ?? inMemory;
    } catch {
      return inMemory; // The browser has taken the database away.
    }
  }

  /** Removes what is so old that no server can still have its image. */
  async tidy() {
    const database = await this.open();
    if (!database) return;
    const before = Date.now() - MAX_AGE_MS;
    for (const name of [RECORDINGS, JOBS]) {
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
    const inMemory = this.memory[name].get(key);
    try {
      return (database && (await settled(database.transaction(name).objectStore(name).get(key)))) ?? inMemory;
    } catch {
      return inMemory;
    }
  }

  put(name, key, value) {
    return this.change(
      name,
      (store) => store.put(value, key),
      () => this.memory[name].set(key, value),
    );
  }

  /** Changes the database, or the memory if that fails: the browser may have no room left. */
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
          [RECORDINGS, JOBS].forEach((name) => request.result.createObjectStore(name));
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
