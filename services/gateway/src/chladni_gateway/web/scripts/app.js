// The page, put together: recordings go in, work goes on, figures come out.

import { adviceFor } from "./advice.js";
import { Alignments } from "./alignment.js";
import { fetchLimits } from "./api.js";
import { Catalogue } from "./catalogue.js";
import { Clips } from "./clips.js";
import { Comparison } from "./comparison.js";
import { Connection } from "./connection.js";
import { CHROMA_RULE, COURSE_RULE } from "./correspondences.js";
import { installDialogs } from "./dialogs.js";
import { FigureDeeds } from "./figure_deeds.js";
import { Gallery } from "./gallery.js";
import { Intake } from "./intake.js";
import { Plate } from "./plate.js";
import { Listening } from "./player.js";
import { Queue } from "./queue.js";
import { ruleRows } from "./reading.js";
import { Recorder } from "./recorder.js";
import { stampOf } from "./reproduction.js";
import { Run } from "./run.js";
import { Settings } from "./settings.js";
import { Sounds } from "./sounds.js";
import { Tabs } from "./tabs.js";
import { installTheme } from "./theme.js";
import { Toasts } from "./toasts.js";
import { Viewer } from "./viewer.js";
import { describeLimits } from "./wording.js";
import { Workshop } from "./workshop.js";

const element = (id) => document.getElementById(id);
const REPORTED_BY_NOTICE = new Set(["UNREACHABLE", "BACKEND_UNAVAILABLE", "MODEL_NOT_READY", "DRAINING"]);

const toasts = new Toasts(element("toasts"));
const clips = new Clips();
const listening = new Listening();
const tabs = new Tabs((news) => hear(news));
const plate = new Plate(element("plate"), element("sand"), element("preview"));
const settings = new Settings(element("settings"), { list: element("recipes"), options: element("options") });
const sounds = new Sounds({ clips, listening, toasts });
const catalogue = new Catalogue({ onChange: () => gallery.show() });
const alignments = new Alignments({ label: (image) => catalogue.label(image) });
const comparison = new Comparison(element("comparison"), { catalogue, alignments, onTrouble: report });
const workshop = new Workshop({ clips, onChange: showWork, onCreated: receive, onFailed: reportFailure });
const run = new Run(element("run"), { onCancel: (work) => workshop.cancel(work) });
const queue = new Queue(element("queue"), {
  onCancel: (work) => workshop.cancel(work),
  onCancelAll: () => workshop.cancelAll(),
  onRetry: (work) => workshop.retry(work),
  onDismiss: (work) => workshop.dismiss(work),
});
const deeds = new FigureDeeds({
  catalogue,
  clips,
  sounds,
  workshop,
  comparison,
  toasts,
  onTrouble: report,
  onRemove: (imageId) => {
    viewer.close();
    gallery.focusBeside(imageId);
    catalogue.remove(imageId);
    tabs.tell("images");
  },
  onProof: (imageId, result) => gallery.stamp(imageId, stampOf(result), result.differing === 0),
});
const figureActions = {
  again: (image) => deeds.again(image),
  reproduce: (image) => deeds.reproduce(image),
  delete: (image) => deeds.remove([image]),
  findAlike: (image) => comparison.showKin(image),
};
const viewer = new Viewer(element("viewer"), { catalogue, alignments, sounds, actions: figureActions });
const gallery = new Gallery(document.querySelector(".collection"), {
  catalogue,
  sounds,
  actions: {
    ...figureActions,
    open: (image) => viewer.open(image),
    compare: (images) => comparison.compare(images),
    deleteAll: (images) => deeds.remove(images),
    loadOlder: () => catalogue.loadOlder().catch(report),
  },
});
const intake = new Intake({
  input: element("file"),
  plate: element("plate"),
  onFiles: takeIn,
  onRefusal: (reason) => toasts.error(reason),
});
const recorder = new Recorder(element("recorder"), {
  openers: { button: element("record"), hint: element("record-hint") },
  plate,
  sounds,
  onFile: (file) => intake.take([file]),
  onTrouble: (reason) => toasts.error(reason),
  onPlay: (player) => listening.started(player),
});
const connection = new Connection(element("notice"), {
  onRecipes: (recipes) => settings.offer(recipes),
  onBack: () => refresh(),
});

function takeIn(files) {
  const values = settings.values();
  for (const file of files) workshop.add(file, values);
}

function showWork(work) {
  const { foremost } = workshop;
  if (work.state === "completed" && work === run.work) {
    run.show(work);
    plate.finish(work.image.image_url);
  } else {
    run.show(foremost);
    plate.show(foremost);
  }
  queue.show(workshop.works.filter((other) => other !== foremost && !other.image));
  if (work.state === "listening") tabs.tell("jobs");
  const isCutOff = work.state === "interrupted" || (work.state === "refused" && work.error.isUnreachable);
  if (isCutOff) connection.look();
}

/** Takes a finished image in. Where several tabs followed it, one of them finds the recording and keeps it. */
async function receive(work) {
  const kept = await clips.takeJob(work.jobId);
  if (kept) await clips.keepClip(work.image.image_id, { file: kept.file });
  if (!deeds.isReproduction(work)) catalogue.add(work.image);
  else if (kept) await deeds.prove(work);
  gallery.refill(work.image.image_id);
  tabs.tell("clip", work.image.image_id);
}

function reportFailure(work) {
  settings.mark(work.error);
  report(work.error);
  if (REPORTED_BY_NOTICE.has(work.error.code)) connection.look();
}

function report(error) {
  toasts.error(error.message, { advice: adviceFor(error) });
  if (error.isUnreachable) connection.look();
}

function hear({ kind, imageId }) {
  if (kind === "jobs") workshop.resume().catch(() => {});
  if (kind === "images") catalogue.load().catch(() => {});
  if (kind === "clip")
    catalogue
      .load()
      .then(() => gallery.refill(imageId))
      .catch(() => {});
}

/** Asks for everything that may have changed while nobody looked. */
async function refresh() {
  const [limits, images] = await Promise.allSettled([fetchLimits(), catalogue.load(), workshop.resume()]);
  if (images.status !== "fulfilled")
    element("loading").textContent = "Your figures come once the server answers.";
  if (limits.status !== "fulfilled") return;
  intake.limits = recorder.limits = limits.value;
  element("limits").textContent = describeLimits(limits.value);
  settings.limit(limits.value);
  comparison.mostImages = limits.value.matrix_images?.maximum ?? comparison.mostImages;
}

installTheme(element("theme"));
installDialogs();
element("help-rules").append(...ruleRows(CHROMA_RULE, COURSE_RULE));
element("help-open").addEventListener("click", () => element("help").showModal());
document.addEventListener(
  "visibilitychange",
  () => document.visibilityState === "visible" && hear({ kind: "images" }),
);
clips.tidy();
refresh();
connection.look();
