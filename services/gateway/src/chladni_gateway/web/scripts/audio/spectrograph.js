// A strip of sand-coloured spectrogram that runs from right to left.

const STOPS = [
  [0, [18, 15, 12]],
  [0.35, [70, 46, 22]],
  [0.7, [190, 142, 72]],
  [1, [250, 238, 205]],
];

export class Spectrograph {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.palette = Array.from({ length: 256 }, (_, level) => colorOf(level / 255));
    this.clear();
  }

  clear() {
    this.context.fillStyle = `rgb(${STOPS[0][1].join(" ")})`;
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }

  /** Adds a column: bytes from the lowest to the highest frequency. */
  add(levels) {
    const { context, canvas } = this;
    const { width, height } = canvas;
    context.drawImage(canvas, -1, 0);
    const column = context.createImageData(1, height);
    for (let y = 0; y < height; y += 1) {
      const level = levels[Math.floor(((height - 1 - y) / height) * levels.length)];
      column.data.set(this.palette[level], y * 4);
    }
    context.putImageData(column, width - 1, 0);
  }
}

function colorOf(share) {
  const above = Math.max(
    1,
    STOPS.findIndex(([at]) => share <= at),
  );
  const [[low, from], [high, to]] = [STOPS[above - 1], STOPS[above]];
  const part = (share - low) / (high - low);
  return [...from.map((value, i) => Math.round(value + part * (to[i] - value))), 255];
}
