// The melody, the beats and the bars, drawn over a mel spectrogram.

const A4_HZ = 440;
const TOP_HZ = 11025; // Of the server's spectrograms.
const LINEAR_TOP_HZ = 1000; // Slaney's mel scale: straight below, logarithmic above.
const LINEAR_STEP = 200 / 3;
const LOG_STEP = Math.log(6.4) / 27;
const GAP_SECONDS = 0.12; // A longer pause breaks the line.
const LEAST_CONFIDENCE = 0.35;

/** Draws on a canvas that lies over the spectrogram of the same seconds. */
export function drawContour(canvas, { contour, beats }, seconds) {
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  if (!(seconds > 0)) return;
  const x = (time) => (time / seconds) * width;
  const downbeats = new Set(beats?.downbeats ?? []);
  for (const time of beats?.times ?? []) {
    const isFirst = downbeats.has(time);
    context.fillStyle = isFirst ? "rgb(255 246 220 / 75%)" : "rgb(255 246 220 / 40%)";
    context.fillRect(x(time), isFirst ? 0 : height * 0.9, isFirst ? 2 : 1.5, height);
  }
  context.strokeStyle = "#ff8f4a";
  context.lineWidth = 4;
  context.lineJoin = context.lineCap = "round";
  context.beginPath();
  let last = null;
  for (const { time = 0, cents, confidence } of contour?.points ?? []) {
    if (cents === undefined || confidence < LEAST_CONFIDENCE) continue;
    const y = height * (1 - melOf(A4_HZ * 2 ** (cents / 1200)) / melOf(TOP_HZ));
    if (last === null || time - last > GAP_SECONDS) context.moveTo(x(time), y);
    else context.lineTo(x(time), y);
    last = time;
  }
  context.stroke();
}

function melOf(hertz) {
  if (hertz < LINEAR_TOP_HZ) return hertz / LINEAR_STEP;
  return LINEAR_TOP_HZ / LINEAR_STEP + Math.log(hertz / LINEAR_TOP_HZ) / LOG_STEP;
}
