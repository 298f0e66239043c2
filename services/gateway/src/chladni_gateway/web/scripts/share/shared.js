// The page of one image that its owner shares: it plays, and says what in the sound made what in the image.
//
// With ?view=projector it shows the image alone, and plays it again and again.

import { explanationOf, summaryOf } from "../gallery/explanation.js";
import { analyse } from "../play/onsets.js";
import { Glow } from "../play/glow.js";
import { formatUntil } from "../ui/format.js";

const element = (id) => document.getElementById(id);
const { path } = document.querySelector("main").dataset;
const isBare = new URLSearchParams(location.search).get("view") === "projector";
const still = matchMedia("(prefers-reduced-motion: reduce)");

document.body.classList.toggle("is-bare", isBare);
element("full").addEventListener("click", () => element("frame").requestFullscreen?.().catch(() => {}));
show().catch(() => {
  element("end").textContent = "The reading cannot be fetched. Load the page again in a moment.";
});

async function show() {
  const response = await fetch(`${path}/reading`);
  if (!response.ok) throw new Error(`The server answered with status ${response.status}.`);
  const image = await response.json();
  element("lead").textContent = summaryOf(image);
  element("explanation").replaceChildren(...explanationOf(image));
  element("end").textContent = `This page ends ${formatUntil(image.expire_time)}, or when its owner withdraws it.`;
  // Without its sound the image can still be looked at.
  if (image.with_audio) await prepareSound(image.duration_seconds).catch(() => {});
}

/** Lets the sound be heard, which is just what the image was drawn from. */
async function prepareSound(seconds) {
  const audio = element("audio");
  let isWanted = isBare; // A visitor may ask for it before it is there.
  let toggle = () => (isWanted = !isWanted);
  element("frame").addEventListener("click", () => toggle());
  const response = await fetch(`${path}/audio`);
  if (!response.ok) return;
  const blob = await response.blob();
  audio.src = URL.createObjectURL(blob);
  audio.hidden = false;
  const sound = await analyse(blob, { seconds }).catch(() => ({ levels: [], hopSeconds: 1, onsets: [] }));
  await element("image").decode();
  const glow = new Glow(element("glow"));
  glow.prepare(element("image"), { onsets: sound.onsets, seconds });
  const draw = () => {
    const time = audio.currentTime;
    const position = seconds > 0 ? Math.min(1, time / seconds) : 0;
    const level = sound.levels[Math.floor(time / sound.hopSeconds)] ?? 0;
    element("frame").style.setProperty("--at", position.toFixed(4));
    element("frame").toggleAttribute("data-playing", time > 0);
    if (audio.paused || still.matches) glow.clear();
    else glow.draw(time, { position, level });
    if (!audio.paused) requestAnimationFrame(draw);
    if (isBare && time >= seconds) audio.currentTime = 0;
  };
  audio.addEventListener("play", () => requestAnimationFrame(draw));
  toggle = () => (audio.paused ? audio.play().catch(() => {}) : audio.pause());
  audio.loop = isBare;
  if (isWanted) toggle();
}
