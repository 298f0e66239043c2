// Puts the page together: visitors give recordings, jobs make images of them, the gallery shows the images.

import { Connection } from "./api/connection.js";
import { adviceFor } from "./api/error_advice.js";
import { fetchLimits } from "./api/gateway.js";
import { FileInput } from "./audio/file_input.js";
import { ImageRecordings } from "./audio/image_recordings.js";
import { SinglePlayback } from "./audio/player.js";
import { Recorder } from "./audio/recorder.js";
import { RecordingStore } from "./audio/recording_store.js";
import { Alignments } from "./compare/alignment.js";
import { Comparison } from "./compare/comparison.js";
import { CHROMA_RULE, COURSE_RULE } from "./gallery/correspondences.js";
import { ruleRows } from "./gallery/explanation.js";
import { Gallery } from "./gallery/gallery.js";
import { ImageCatalog } from "./gallery/image_catalog.js";
import { ImageCommands } from "./gallery/image_commands.js";
import { stampOf } from "./gallery/reproduction.js";
import { Viewer } from "./gallery/viewer.js";
import { JobPanel } from "./jobs/job_panel.js";
import { JobQueue } from "./jobs/job_queue.js";
import { QueuePanel } from "./jobs/queue_panel.js";
import { Settings } from "./jobs/settings.js";
import { installDialogs } from "./ui/dialogs.js";
import { describeLimits } from "./ui/format.js";
import { PreviewPanel } from "./ui/preview_panel.js";
import { TabSync } from "./ui/tab_sync.js";
import { installTheme } from "./ui/theme.js";
import { Toasts } from "./ui/toasts.js";

const element = (id) => document.getElementById(id);
const REPORTED_BY_NOTICE = new Set(["UNREACHABLE", "BACKEND_UNAVAILABLE", "MODEL_NOT_READY", "DRAINING"]);

const toasts = new Toasts(element("toasts"));
const recordingStore = new RecordingStore();
const playback = new SinglePlayback();
const tabSync = new TabSync((news) => applyNews(news));
const previewPanel = new PreviewPanel(element("preview-panel"), element("sand"), element("preview"));
const settings = new Settings(element("settings"), { list: element("recipes"), options: element("options") });
const imageRecordings = new ImageRecordings({ recordingStore, playback, toasts });
const catalog = new ImageCatalog({ onChange: () => gallery.show() });
const alignments = new Alignments({ label: (image) => catalog.label(image) });
const comparison = new Comparison(element("comparison"), { catalog, alignments, onError: report });
const jobQueue = new JobQueue({
  recordingStore,
  onChange: showJob,
  onCreated: receive,
  onFailed: reportFailure,
});
const jobPanel = new JobPanel(element("job-panel"), { onCancel: (job) => jobQueue.cancel(job) });
const queuePanel = new QueuePanel(element("queue"), {
  onCancel: (job) => jobQueue.cancel(job),
  onCancelAll: () => jobQueue.cancelAll(),
  onRetry: (job) => jobQueue.retry(job),
  onDismiss: (job) => jobQueue.dismiss(job),
});
const imageCommands = new ImageCommands({
  catalog,
  recordingStore,
  imageRecordings,
  jobQueue,
  comparison,
  toasts,
  onError: report,
  onRemove: (imageId) => {
    viewer.close();
    gallery.focusBeside(imageId);
    catalog.remove(imageId);
    tabSync.send("images");
  },
  onProof: (imageId, result) => gallery.stamp(imageId, stampOf(result), result.differing === 0),
});
const imageActions = {
  again: (image) => imageCommands.again(image),
  reproduce: (image) => imageCommands.reproduce(image),
  delete: (image) => imageCommands.remove([image]),
  findAlike: (image) => comparison.showSimilar(image),
};
const viewer = new Viewer(element("viewer"), { catalog, alignments, imageRecordings, actions: imageActions });
const gallery = new Gallery(document.querySelector(".collection"), {
  catalog,
  imageRecordings,
  actions: {
    ...imageActions,
    open: (image) => viewer.open(image),
    compare: (images) => comparison.compare(images),
    deleteAll: (images) => imageCommands.remove(images),
    loadOlder: () => catalog.loadOlder().catch(report),
  },
});
const fileInput = new FileInput({
  input: element("file"),
  dropTarget: element("preview-panel"),
  onFiles: takeIn,
  onRefusal: (reason) => toasts.error(reason),
});
const recorder = new Recorder(element("recorder"), {
  openers: { button: element("record"), hint: element("record-hint") },
  previewPanel,
  imageRecordings,
  onFile: (file) => fileInput.take([file]),
  onError: (reason) => toasts.error(reason),
  onPlay: (player) => playback.started(player),
});
const connection = new Connection(element("notice"), {
  onRecipes: (recipes) => settings.offer(recipes),
  onBack: () => refresh(),
});

function takeIn(files) {
  const values = settings.values();
  for (const file of files) jobQueue.add(file, values);
}

function showJob(job) {
  const { foremost } = jobQueue;
  if (job.state === "completed" && job === jobPanel.job) {
    jobPanel.show(job);
    previewPanel.finish(job.image.image_url);
  } else {
    jobPanel.show(foremost);
    previewPanel.show(foremost);
  }
  queuePanel.show(jobQueue.jobs.filter((other) => other !== foremost && !other.image));
  if (job.state === "listening") tabSync.send("jobs");
  const isCutOff = job.state === "interrupted" || (job.state === "refused" && job.error.isUnreachable);
  if (isCutOff) connection.look();
}

/** Adds a finished image. If several tabs followed its job, one of them finds the recording and keeps it. */
async function receive(job) {
  const kept = await recordingStore.takeJob(job.jobId);
  if (kept) await recordingStore.keep(job.image.image_id, { file: kept.file });
  if (!imageCommands.isReproduction(job)) catalog.add(job.image);
  else if (kept) await imageCommands.prove(job);
  gallery.refill(job.image.image_id);
  tabSync.send("clip", job.image.image_id);
}

function reportFailure(job) {
  settings.mark(job.error);
  report(job.error);
  if (REPORTED_BY_NOTICE.has(job.error.code)) connection.look();
}

function report(error) {
  toasts.error(error.message, { advice: adviceFor(error) });
  if (error.isUnreachable) connection.look();
}

function applyNews({ kind, imageId }) {
  if (kind === "jobs") jobQueue.resume().catch(() => {});
  if (kind === "images") catalog.load().catch(() => {});
  if (kind === "clip")
    catalog
      .load()
      .then(() => gallery.refill(imageId))
      .catch(() => {});
}

/** Fetches everything that may have changed meanwhile. */
async function refresh() {
  const [limits, images] = await Promise.allSettled([fetchLimits(), catalog.load(), jobQueue.resume()]);
  if (images.status !== "fulfilled")
    element("loading").textContent = "Your figures come once the server answers.";
  if (limits.status !== "fulfilled") return;
  fileInput.limits = recorder.limits = limits.value;
  element("limits").textContent = describeLimits(limits.value);
  settings.limit(limits.value);
  comparison.mostImages = limits.value.max_matrix_images ?? comparison.mostImages;
}

installTheme(element("theme"));
installDialogs();
element("help-rules").append(...ruleRows(CHROMA_RULE, COURSE_RULE));
element("help-open").addEventListener("click", () => element("help").showModal());
document.addEventListener(
  "visibilitychange",
  () => document.visibilityState === "visible" && applyNews({ kind: "images" }),
);
recordingStore.tidy();
refresh();
connection.look();
