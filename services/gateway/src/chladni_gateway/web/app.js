// The page, put together: files go in, runs go one after another, figures come out.

import { createImage, fetchLimits, fetchRecipes } from "./api.js";
import { Comparison } from "./comparison.js";
import { Gallery } from "./gallery.js";
import { Intake } from "./intake.js";
import { Plate } from "./plate.js";
import { Run } from "./run.js";
import { Settings } from "./settings.js";
import { installTheme } from "./theme.js";
import { Toasts } from "./toasts.js";
import { describeLimits } from "./wording.js";

const element = (id) => document.getElementById(id);

const toasts = new Toasts(element("toasts"), element("toast-template"));
const plate = new Plate(element("plate"), element("sand"), element("preview"));
const run = new Run(element("run"));
const settings = new Settings(element("settings"));
const comparison = new Comparison(element("comparison"), toasts);
const gallery = new Gallery({
  list: element("figures"),
  template: element("figure-template"),
  empty: element("empty"),
  selection: element("selection"),
  onCompare: (first, second) => comparison.show(first, second),
});

const waiting = [];
let working = null;

async function workThrough() {
  if (working !== null) return;
  while (waiting.length > 0) {
    working = new AbortController();
    await create(waiting.shift(), working);
  }
  working = null;
}

async function create(file, controller) {
  run.begin(file.name, waiting.length);
  plate.begin();
  try {
    const created = await createImage(file, settings.values(), {
      signal: controller.signal,
      onEvent: (event) => {
        run.take(event);
        plate.take(event);
      },
    });
    plate.finish(created.image_url);
    run.finish();
    gallery.add(created, file);
  } catch (error) {
    plate.clear();
    run.end();
    if (controller.signal.aborted) return;
    settings.mark(error);
    toasts.show(error.message);
  }
}

element("cancel").addEventListener("click", () => {
  waiting.length = 0;
  working?.abort();
});

async function start() {
  installTheme(element("theme"));
  const intake = new Intake({
    input: element("file"),
    plate: element("plate"),
    onFiles: (files) => {
      waiting.push(...files);
      workThrough();
    },
    onRefusal: (reason) => toasts.show(reason),
  });
  const [limits, recipes] = await Promise.allSettled([fetchLimits(), fetchRecipes()]);
  if (limits.status === "fulfilled") {
    intake.limits = limits.value;
    element("limits").textContent = describeLimits(limits.value);
  }
  if (recipes.status === "fulfilled") settings.offer(recipes.value);
}

start();
