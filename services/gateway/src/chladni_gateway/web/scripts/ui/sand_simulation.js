// Sand on a vibrating plate. Each grain is kicked about as strongly as the plate moves under it, so the sand
// gathers where the plate stands still: on the nodal lines of the mode in which it vibrates. The mode of a
// square plate that is free at its edges is close to
//     cos(n pi x) cos(m pi y) - cos(m pi x) cos(n pi y)
// (Chladni's figures; Gander & Wanner, SIAM Review 54, 2012, tell the history and the mathematics.)

const GRAINS = 5000;
const KICK = 0.021; // Largest kick in a frame, as a share of the plate's side.
const STILLNESS = 0.22; // Motion below which a grain may come to rest when the sand is scattered.
const SETTLED_TRIES = 24;
const FIELD_SIDE = 160; // The motion is looked up in a table of this side.
const GRAIN_COLORS = [0xffc0e6f3, 0xff9bcfe2, 0xff6fa7bf]; // ABGR, as pixels lie in memory.

export class SandSimulation {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.image = this.context.createImageData(canvas.width, canvas.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.x = new Float32Array(GRAINS);
    this.y = new Float32Array(GRAINS);
    this.field = new Float32Array(FIELD_SIDE * FIELD_SIDE);
  }

  /** Lets the plate vibrate in a mode, a pair of whole numbers. */
  tune([n, m]) {
    const cosines = (order) =>
      Float32Array.from({ length: FIELD_SIDE }, (_, i) =>
        Math.cos((order * Math.PI * (i + 0.5)) / FIELD_SIDE),
      );
    const [inN, inM] = [cosines(n), cosines(m)];
    for (let row = 0; row < FIELD_SIDE; row += 1) {
      for (let column = 0; column < FIELD_SIDE; column += 1) {
        this.field[row * FIELD_SIDE + column] = Math.abs(inN[column] * inM[row] - inM[column] * inN[row]);
      }
    }
  }

  /** How strongly the plate moves, 0 to 2. */
  motion(x, y) {
    const row = Math.min(FIELD_SIDE - 1, (y * FIELD_SIDE) | 0);
    return this.field[row * FIELD_SIDE + Math.min(FIELD_SIDE - 1, (x * FIELD_SIDE) | 0)];
  }

  /** Scatters the sand again: evenly, or as it has settled. */
  scatter({ settled }) {
    for (let i = 0; i < GRAINS; i += 1) {
      let left = settled ? SETTLED_TRIES : 1;
      do {
        this.x[i] = Math.random();
        this.y[i] = Math.random();
        left -= 1;
      } while (left > 0 && this.motion(this.x[i], this.y[i]) > STILLNESS * Math.random());
    }
  }

  /** Shakes the plate for one frame; `strength` 1 is usual. */
  shake(strength = 1) {
    for (let i = 0; i < GRAINS; i += 1) {
      const kick = KICK * strength * this.motion(this.x[i], this.y[i]);
      this.x[i] = within(this.x[i] + (Math.random() * 2 - 1) * kick);
      this.y[i] = within(this.y[i] + (Math.random() * 2 - 1) * kick);
    }
  }

  draw() {
    const { width, height } = this.canvas;
    this.pixels.fill(0);
    for (let i = 0; i < GRAINS; i += 1) {
      const at = ((this.y[i] * (height - 2)) | 0) * width + ((this.x[i] * (width - 2)) | 0);
      const color = GRAIN_COLORS[i % GRAIN_COLORS.length];
      this.pixels[at] = color;
      this.pixels[at + 1] = color;
      this.pixels[at + width] = color;
    }
    this.context.putImageData(this.image, 0, 0);
  }
}

function within(position) {
  if (position < 0) return -position;
  return position > 1 ? 2 - position : position;
}
