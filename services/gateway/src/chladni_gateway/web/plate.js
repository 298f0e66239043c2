// A plate strewn with sand. Each grain is kicked about as strongly as the plate moves under it, so the sand
// gathers where the plate stands still: on the nodal lines of the mode in which it vibrates. The mode of a
// square plate that is free at its edges is close to
//     cos(n pi x) cos(m pi y) - cos(m pi x) cos(n pi y)
// (Chladni's figures; Gander & Wanner, SIAM Review 54, 2012, tell the history and the mathematics.)

const GRAINS = 6500;
const KICK = 0.0135; // Largest kick in a frame, as a share of the plate's side.
const STILLNESS = 0.22; // Motion below which a grain may come to rest when the sand is strewn.
const SETTLED_TRIES = 40;
const SETTLED_FRAMES = 420;
const IDLE_MODES = [[1, 4], [2, 5], [3, 5], [1, 6], [4, 6], [3, 7], [2, 7]];
const IDLE_CHANGE_MS = 9000;
const GRAIN_COLORS = ["#f3e6c0", "#e2cf9b", "#bfa76f"];

export class Plate {
  constructor(frame, canvas, picture) {
    this.frame = frame;
    this.picture = picture;
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.x = new Float32Array(GRAINS);
    this.y = new Float32Array(GRAINS);
    this.mode = IDLE_MODES[0];
    this.strew(SETTLED_TRIES);
    this.framesLeft = 0;
    this.isLooping = false;
    this.wantsStillness = matchMedia("(prefers-reduced-motion: reduce)");
    this.idle();
    setInterval(() => this.frame.dataset.state === "idle" && !document.hidden && this.idle(), IDLE_CHANGE_MS);
  }

  /** Vibrates in one mode after another, to pass the time. */
  idle() {
    this.turn = ((this.turn ?? -1) + 1) % IDLE_MODES.length;
    this.vibrate(IDLE_MODES[this.turn]);
  }

  begin() {
    this.frame.dataset.state = "working";
    this.picture.hidden = true;
    this.canvas.style.opacity = "";
    this.strew(this.wantsStillness.matches ? SETTLED_TRIES : 1);
    this.vibrate(this.mode);
  }

  take({ name, data }) {
    if (name === "analyzed") this.vibrate(modeOf(data.descriptors));
    if (name === "progress") {
      this.vibrate(this.mode);
      if (data.preview) this.reveal(data.preview, data.step / data.total_steps);
    }
  }

  finish(address) {
    this.reveal(address, 1);
    this.frame.dataset.state = "done";
  }

  clear() {
    this.picture.hidden = true;
    this.canvas.style.opacity = "";
    this.frame.dataset.state = "idle";
    this.idle();
  }

  reveal(address, clarity) {
    this.picture.src = address;
    this.picture.hidden = false;
    this.frame.style.setProperty("--clarity", String(0.25 + 0.75 * clarity));
    this.canvas.style.opacity = clarity === 1 ? "" : String(1 - 0.75 * clarity);
  }

  /** Strews the sand anew; each grain has some tries to land where the plate is nearly still. */
  strew(tries) {
    const motion = motionIn(this.mode);
    for (let i = 0; i < GRAINS; i += 1) {
      let left = tries;
      do {
        this.x[i] = Math.random();
        this.y[i] = Math.random();
        left -= 1;
      } while (left > 0 && motion(this.x[i], this.y[i]) > STILLNESS * Math.random());
    }
  }

  vibrate(mode) {
    const isNew = mode !== this.mode;
    this.mode = mode;
    if (this.wantsStillness.matches) {
      if (isNew) this.strew(SETTLED_TRIES);
      this.draw();
      return;
    }
    this.framesLeft = SETTLED_FRAMES;
    if (this.isLooping) return;
    this.isLooping = true;
    const loop = () => {
      this.move();
      this.draw();
      this.framesLeft -= 1;
      this.isLooping = this.framesLeft > 0;
      if (this.isLooping) requestAnimationFrame(loop);
    };
    requestAnimationFrame(loop);
  }

  move() {
    const motion = motionIn(this.mode);
    for (let i = 0; i < GRAINS; i += 1) {
      const kick = KICK * motion(this.x[i], this.y[i]);
      this.x[i] = within(this.x[i] + (Math.random() * 2 - 1) * kick);
      this.y[i] = within(this.y[i] + (Math.random() * 2 - 1) * kick);
    }
  }

  draw() {
    const { context, canvas } = this;
    const { width, height } = canvas;
    context.clearRect(0, 0, width, height);
    for (let color = 0; color < GRAIN_COLORS.length; color += 1) {
      context.fillStyle = GRAIN_COLORS[color];
      for (let i = color; i < GRAINS; i += GRAIN_COLORS.length) {
        context.fillRect(this.x[i] * width, this.y[i] * height, 1.7, 1.7);
      }
    }
  }
}

/** Returns the function that gives how strongly the plate moves at (x, y), 0 to 2. */
function motionIn(mode) {
  const [n, m] = mode.map((order) => order * Math.PI);
  return (x, y) => Math.abs(Math.cos(n * x) * Math.cos(m * y) - Math.cos(m * x) * Math.cos(n * y));
}

/** Returns the mode for a sound: the higher and the brighter, the finer the figure. */
function modeOf(descriptors) {
  const share = (name) => {
    const found = descriptors.find((descriptor) => descriptor.name === name);
    if (!found || found.maximum === found.minimum) return 0.5;
    return Math.min(1, Math.max(0, (found.value - found.minimum) / (found.maximum - found.minimum)));
  };
  const n = 1 + Math.round(share("pitch_height") * 4);
  const m = n + 1 + Math.round(share("brightness") * 4);
  return [n, m];
}

function within(position) {
  if (position < 0) return -position;
  return position > 1 ? 2 - position : position;
}
