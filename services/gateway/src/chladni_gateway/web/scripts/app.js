// Puts the page together: visitors give recordings, jobs make images of them, the gallery shows the images.

import { Connection } from "./api/connection.js";
import { adviceFor } from "./api/error_advice.js";
import { fetchInfo } from "./api/gateway.js";
import { ImageRecordings, partOf } from "./audio/image_recordings.js";
import { SinglePlayback } from "./audio/player.js";
import { Recorder } from "./audio/recorder.js";
import { RecordingStore } from "./audio/recording_store.js";
import { Alignments } from "./compare/alignment.js";
import { Comparison } from "./compare/comparison.js";
import { CHROMA_RULE, COURSE_RULE } from "./gallery/correspondences.js";
import { ruleRows } from "./gallery/explanation.js";
import { saveAll } from "./archive/archive.js";
import { FigureBar } from "./gallery/figure_bar.js";
import { FormatSheet } from "./gallery/format_sheet.js";
import { Gallery } from "./gallery/gallery.js";
import { ImageCatalog, shownAddressOf } from "./gallery/image_catalog.js";
import { ImageCommands } from "./gallery/image_commands.js";
import { settingsOf } from "./gallery/repetition.js";
import { stampOf } from "./gallery/reproduction.js";
import { Viewer } from "./gallery/viewer.js";
import { provenanceIn } from "./input/dropped_image.js";
import { FileInput } from "./input/file_input.js";
import { PartChooser } from "./input/part_chooser.js";
import { JobPanel } from "./jobs/job_panel.js";
import { JobQueue } from "./jobs/job_queue.js";
import { QueuePanel } from "./jobs/queue_panel.js";
import { Settings } from "./jobs/settings.js";
import { MovingImage } from "./play/moving_image.js";
import { Stage } from "./play/stage.js";
import { Samples } from "./samples/samples.js";
import { ShareSheet } from "./share/share_sheet.js";
import { installDialogs } from "./ui/dialogs.js";
import { describeLimits } from "./ui/format.js";
import { PreviewPanel } from "./ui/preview_panel.js";
import { Route } from "./ui/route.js";
import { TabSync } from "./ui/tab_sync.js";
import { Tabs } from "./ui/tabs.js";
import { installTheme } from "./ui/theme.js";
import { Toasts } from "./ui/toasts.js";

const element = (id) => document.getElementById(id);
const REPORTED_BY_NOTICE = new Set(["UNREACHABLE", "BACKEND_UNAVAILABLE", "MODEL_NOT_READY", "DRAINING"]);

const toasts = new Toasts(element("toasts"));
const recordingStore = new RecordingStore();
const playback = new SinglePlayback();
const tabSync = new TabSync((news) => applyNews(news));
const previewPanel = new PreviewPanel(element("preview-panel"), element("sand"), element("preview"), {
  onLeave: () => leaveFinished(),
});
const settings = new Settings(element("settings"), {
  list: element("recipes"),
  options: element("options"),
  summary: element("settings-summary"),
});
const imageRecordings = new ImageRecordings({ recordingStore, playback, toasts });
const catalog = new ImageCatalog({ onChange: () => gallery.show() });
const alignments = new Alignments({ label: (image) => catalog.label(image) });
const route = new Route(() => showRoute());
const comparison = new Comparison(element("comparison"), {
  catalog,
  alignments,
  onError: report,
  onShow: (view, ids) => route.go(view, ids),
  onClose: () => ["compare", "alike"].forEach((view) => route.leave(view)),
});
const jobQueue = new JobQueue({
  recordingStore,
  onChange: showJob,
  onCreated: receive,
  onFailed: reportFailure,
});
const jobPanel = new JobPanel(element("job-panel"), {
  onCancel: (job) => jobQueue.cancel(job),
  onQuiet: () => connection.look(),
});
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
  onRestore: (images) => {
    catalog.restore(images);
    gallery.focus(images[0].image_id);
  },
  onRemove: (imageId) => {
    viewer.close();
    gallery.focusBeside(imageId);
    catalog.remove(imageId);
    if (figureBar.image?.image_id === imageId) previewPanel.clear();
  },
  onDeleted: () => tabSync.send("images"),
  onKept: () => tabSync.send("images"),
  onProof: (imageId, result) => gallery.stamp(imageId, stampOf(result), result.differing === 0),
});
const imageActions = {
  play: (image) => play(image),
  share: (image) => shareSheet.open(image).catch(report),
  again: (image) => imageCommands.again(image),
  reproduce: (image) => imageCommands.reproduce(image),
  formats: (image) => formatSheet.open(image),
  keep: (image) => imageCommands.keep(image),
  delete: (image) => imageCommands.remove([image]),
  findAlike: (image) => comparison.showSimilar(image),
};
const viewer = new Viewer(element("viewer"), {
  catalog,
  alignments,
  imageRecordings,
  actions: imageActions,
  onShow: ({ image_id: id }, { isNeighbor }) => route.go("figure", [id], { replace: isNeighbor }),
  onClose: () => route.leave("figure"),
});
const stage = new Stage(element("stage"), {
  playerFor: (image) => imageRecordings.playerFor(image),
  recordingOf: async (image) => (await recordingStore.find(image.image_id))?.file,
  onClose: () => ["play", "projector"].forEach((view) => route.leave(view)),
});
const formatSheet = new FormatSheet(element("formats"), {
  label: (image) => catalog.label(image),
  onChoose: (image, format) => imageCommands.saveAs(image, format),
});
const shareSheet = new ShareSheet(element("share"), {
  recordingOf: async (image) => (await recordingStore.find(image.image_id))?.file,
  label: (image) => catalog.label(image),
});
const figureBar = new FigureBar(element("figure-bar"), { imageRecordings, actions: imageActions });
const gallery = new Gallery(document.querySelector(".collection"), {
  catalog,
  imageRecordings,
  actions: {
    ...imageActions,
    open: (image) => viewer.open(image),
    compare: (images) => comparison.compare(images),
    deleteAll: (images) => imageCommands.remove(images),
    loadOlder: () => catalog.loadOlder().catch(report),
    saveAll: () => saveAll(catalog, recordingStore).catch(report),
  },
});
const partChooser = new PartChooser(element("part"), { onPlay: (sound) => playback.started(sound) });
const fileInput = new FileInput({
  input: element("file"),
  dropTargets: [element("preview-panel"), element("view-films")],
  elsewhere: () => (tabs.shown === "films" ? (files) => filmView?.take(files) : null),
  partChooser,
  onFiles: takeIn,
  onImage: takeSettings,
  onRefusal: (reason) => toasts.error(reason),
});
const recorder = new Recorder(element("recorder"), {
  openers: { button: element("record"), hint: element("record-hint"), file: element("play-file") },
  previewPanel,
  movingImage: new MovingImage(element("moving")),
  imageRecordings,
  onFile: (file) => fileInput.take([file]),
  onError: (reason) => toasts.error(reason),
  onPlay: (player) => playback.started(player),
});
new Samples(element("samples"), {
  onChoose: (file, values) => jobQueue.add(file, { ...settings.values(), ...values }),
  onPlay: (sound) => playback.started(sound),
  onError: report,
});
const studies = {
  limits: () => fileInput.limits,
  partChooser,
  onError: report,
  onRefusal: (reason) => toasts.error(reason),
};
let filmView = null;
let machinesView = null;
const tabs = new Tabs(element("parts"), {
  openers: {
    music: async () => {
      const { MusicView } = await import("./music/music_view.js");
      new MusicView(element("view-music"), {
        ...studies,
        imageRecordings,
        playback,
        canDraw: () => settings.promptRecipe !== undefined,
        onDraw: drawPrompt,
      });
    },
    films: async () => {
      const { FilmView } = await import("./films/film_view.js");
      // Once, however often the server does not answer.
      filmView ??= new FilmView(element("view-films"), {
        looks: settings.looks,
        playback,
        onError: report,
        onNote: (text) => toasts.note(text),
      });
      await filmView.load();
    },
    machines: async () => {
      const { MachinesView } = await import("./machines/machines_view.js");
      machinesView ??= new MachinesView(element("view-machines"), { ...studies, onNote: (text) => toasts.note(text) });
      await machinesView.load();
    },
  },
  onError: report,
});
const connection = new Connection(element("notice"), {
  onRecipes: (recipes) => settings.offer(recipes),
  onBack: () => refresh(),
});

function takeIn(chosen) {
  const values = settings.values();
  for (const { file, part } of chosen) jobQueue.add(file, { ...values, ...part });
}

/** Plays an image large; `isBare` leaves the controls away. */
function play(image, { isBare = false } = {}) {
  route.go("play", [image.image_id]);
  stage.open(image, { isBare });
}

/** Opens what the page's address names, and closes the rest. */
function showRoute() {
  const { view, ids } = route.current;
  tabs.show(view);
  const images = ids.map((id) => catalog.find(id)).filter(Boolean);
  if (view !== "figure") viewer.close();
  if (view !== "play" && view !== "projector") element("stage").close();
  if (view !== "compare" && view !== "alike") comparison.close();
  if (images.length === 0) return;
  // What the visitor has opened meanwhile goes on as it is.
  if (view === "figure" && !viewer.isShowing(images[0])) viewer.open(images[0]);
  if ((view === "play" || view === "projector") && !stage.isShowing(images[0])) {
    stage.open(images[0], { isBare: view === "projector" });
  }
  if (view === "alike") comparison.showSimilar(images[0]);
  if (view === "compare" && images.length > 1) comparison.compare(images);
}

function leaveFinished() {
  figureBar.hide();
  element("draw-again").hidden = true;
  element("preview-open").hidden = true;
}

function showFinished(image) {
  const label = catalog.label(image);
  figureBar.show(image, label);
  element("preview-open").setAttribute("aria-label", `Enlarge ${label}`);
  element("preview-open").hidden = false;
  element("draw-again").hidden = false;
}

/** Fills the settings with those of an image that Chladni made; returns whether the file is one. */
async function takeSettings(file) {
  const provenance = await provenanceIn(file);
  if (!provenance) return false;
  const values = settingsOf({ ...provenance, provenance, format: "png", audio: {} }, { withSeed: true });
  const isUsable = settings.fill(values);
  element("settings-panel").open = true;
  const missing = isUsable ? "" : " Its recipe cannot be used here, so the chosen one stays.";
  toasts.note(`The settings are now those of ${file.name}.${missing} Give a recording to draw with them.`);
  return true;
}

/** Draws the recording of the finished image again, with the settings of the form. */
async function drawAgain() {
  const { image } = figureBar;
  if (!image) return;
  const file = await imageRecordings.recordingOf(image, { then: drawAgain });
  if (file) jobQueue.add(file, { ...settings.values(), ...partOf(image.audio) });
}

/** Draws what a prompt says for a recording, and shows that. */
function drawPrompt(file, part, prompt) {
  jobQueue.add(file, { recipe: settings.promptRecipe, prompt, ...part });
  route.go("draw");
  showRoute();
}

function showJob(job) {
  const { foremost } = jobQueue;
  if (job.state === "completed" && job === jobPanel.job) {
    jobPanel.show(job);
    previewPanel.finish(shownAddressOf(imageCommands.downloadedOf(job) ?? job.image));
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
  if (kept && !imageCommands.isDownload(job)) await recordingStore.keep(job.image.image_id, { file: kept.file });
  if (imageCommands.isDownload(job)) kept && (await imageCommands.deliver(job));
  else if (!imageCommands.isReproduction(job)) catalog.add(job.image);
  else if (kept) await imageCommands.prove(job);
  for (const { reason, message } of job.image.warnings ?? []) {
    if (reason !== "IMAGES_REMOVED") continue;
    toasts.note(message);
    catalog.load().catch(() => {});
  }
  const shown = imageCommands.downloadedOf(job) ?? job.image;
  if (job === jobPanel.job && catalog.find(shown.image_id)) showFinished(shown);
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
  if (error.isUnreachable || error.isSignedOut) connection.look();
}

function applyNews({ kind, imageId }) {
  if (kind === "jobs") jobQueue.resume().catch(() => {});
  if (kind === "images") catalog.load().catch(() => {});
  if (kind === "clip")
    catalog
      .load()
      .then(() => {
        gallery.refill(imageId);
        figureBar.refill(imageId);
      })
      .catch(() => {});
}

/** Fetches everything that may have changed meanwhile. */
async function refresh() {
  const [info, images] = await Promise.allSettled([fetchInfo(), catalog.load(), jobQueue.resume()]);
  if (images.status !== "fulfilled")
    element("loading").textContent = "Your figures come once the server answers.";
  if (info.status !== "fulfilled") return;
  const { limits } = info.value;
  fileInput.limits = recorder.limits = limits;
  element("limits").textContent = describeLimits(limits);
  settings.limit(limits);
  comparison.mostImages = limits.max_matrix_images ?? comparison.mostImages;
  gallery.room = { most: limits.max_images, seconds: limits.image_retention_seconds, count: info.value.image_count };
  gallery.showRoom();
}

installTheme(element("theme"));
installDialogs();
element("help-rules").append(...ruleRows(CHROMA_RULE, COURSE_RULE));
element("sign-out").hidden = !document.cookie.includes("chladni_signed_in=1");
element("draw-again").addEventListener("click", drawAgain);
element("preview-open").addEventListener("click", () => viewer.open(figureBar.image));
element("help-open").addEventListener("click", () => element("help").showModal());
document.addEventListener(
  "visibilitychange",
  () => document.visibilityState === "visible" && applyNews({ kind: "images" }),
);
recordingStore.tidy();
tabs.show(route.current.view);
refresh().then(showRoute);
imageCommands.finishRemovals().catch(() => {});
connection.look();
