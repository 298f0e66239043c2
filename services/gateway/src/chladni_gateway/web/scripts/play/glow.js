// The light on an image that is played: a band at the playhead that is as strong as the sound, and a glow where an
// onset stands, which fades.

const SIDE_PIXELS = 512;
const BAND = 0.07; // Half width, as a share of the image's.
const FADE_SECONDS = 0.9;
const RADIUS = 0.11;
const COLUMNS = 96; // The image is searched at this resolution for what stands out.

export class Glow {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.image = null;
  }

  /** Prepares the light for an image and the onsets of its sound. */
  prepare(image, { onsets, seconds }) {
    this.image = image;
    this.canvas.width = SIDE_PIXELS;
    this.canvas.height = Math.max(1, Math.round((SIDE_PIXELS * image.naturalHeight) / image.naturalWidth));
    const rows = conspicuousRows(image);
    this.onsets = onsets.map(({ seconds: at, strength }) => {
      const x = seconds > 0 ? at / seconds : 0;
      return { at, strength, x, y: rows[Math.min(COLUMNS - 1, Math.floor(x * COLUMNS))] };
    });
  }

  /** Draws the light of a moment; returns how many onsets glow. */
  draw(time, { position, level }) {
    const { context, canvas } = this;
    const { width, height } = canvas;
    context.globalCompositeOperation = "source-over";
    context.clearRect(0, 0, width, height);
    if (!this.image) return 0;
    const band = context.createLinearGradient((position - BAND) * width, 0, (position + BAND / 4) * width, 0);
    band.addColorStop(0, "rgb(0 0 0 / 0)");
    band.addColorStop(0.85, `rgb(0 0 0 / ${(0.15 + 0.7 * level).toFixed(3)})`);
    band.addColorStop(1, "rgb(0 0 0 / 0)");
    context.fillStyle = band;
    context.fillRect(0, 0, width, height);
    let glowing = 0;
    for (const { at, strength, x, y } of this.onsets ?? []) {
      const age = time - at;
      if (age < 0 || age > FADE_SECONDS) continue;
      glowing += 1;
      const light = (1 - age / FADE_SECONDS) ** 1.5 * (0.45 + 0.55 * strength);
      const radius = RADIUS * width * (0.6 + 0.4 * strength + 0.4 * (age / FADE_SECONDS));
      const spot = context.createRadialGradient(x * width, y * height, 0, x * width, y * height, radius);
      spot.addColorStop(0, `rgb(0 0 0 / ${light.toFixed(3)})`);
      spot.addColorStop(1, "rgb(0 0 0 / 0)");
      context.fillStyle = spot;
      context.fillRect(0, 0, width, height);
    }
    context.globalCompositeOperation = "source-in"; // The light has the colours of the image.
    context.drawImage(this.image, 0, 0, width, height);
    return glowing;
  }

  clear() {
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }
}

/** Returns for each of COLUMNS columns the height (0 to 1) at which the image differs most from its surroundings. */
function conspicuousRows(image) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = COLUMNS;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0, COLUMNS, COLUMNS);
  const { data } = context.getImageData(0, 0, COLUMNS, COLUMNS);
  const light = (row, column) => {
    const at = (row * COLUMNS + column) * 4;
    return data[at] + data[at + 1] + data[at + 2];
  };
  return Array.from({ length: COLUMNS }, (_, column) => {
    let best = Math.floor(COLUMNS / 2);
    let most = 0;
    for (let row = 4; row < COLUMNS - 4; row += 1) {
      const contrast = Math.abs(2 * light(row, column) - light(row - 4, column) - light(row + 4, column));
      if (contrast > most) [most, best] = [contrast, row];
    }
    return (best + 0.5) / COLUMNS;
  });
}
