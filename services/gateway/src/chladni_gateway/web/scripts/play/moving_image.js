// The image that a live sound moves: the server's newest frames, through /api/v1/live/images, drawn sixty times a second.
//
// Between two frames what is seen moves to the left at the pace of the sound, so the image flows however slowly
// frames come. If the server does not offer them, nothing is shown, and the sand goes on alone.

import { toPcm16 } from "../audio/wav.js";

const BLEND_MS = 120; // A new frame comes in over the one before.
const MOST_AHEAD_SECONDS = 0.5; // Longer than that nothing is made up.
const MOST_WAITING_BYTES = 64 * 1024; // Of sound on its way: what would come late is left out.

export class MovingImage {
  /** Draws into `canvas`, which is hidden until the first frame is there. */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.socket = null;
    this.drawing = 0;
  }

  /** Begins a sound of this sample rate. */
  begin(sampleRateHz) {
    this.end();
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const address = new URL("/api/v1/live/images", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    this.socket = socket;
    this.isReady = false;
    this.newest = this.before = null;
    socket.binaryType = "blob";
    socket.onopen = () => socket.send(JSON.stringify({ sample_rate_hz: Math.round(sampleRateHz) }));
    socket.onmessage = ({ data }) => socket === this.socket && this.take(data);
    socket.onclose = () => socket === this.socket && this.end();
  }

  /** Takes samples; those that come before the server is ready are left out. */
  feed(samples) {
    if (!this.isReady || this.socket?.readyState !== WebSocket.OPEN) return;
    if (this.socket.bufferedAmount <= MOST_WAITING_BYTES) this.socket.send(toPcm16(samples));
  }

  /** Ends the sound, and hides the image. */
  end() {
    this.socket?.close();
    this.socket = null;
    this.isReady = false;
    this.canvas.hidden = true;
    cancelAnimationFrame(this.drawing);
    for (const frame of [this.newest, this.before]) frame?.bitmap.close();
    this.newest = this.before = null;
  }

  async take(data) {
    const { socket } = this;
    if (typeof data !== "string") {
      const { announced } = this;
      const bitmap = await createImageBitmap(data).catch(() => null);
      if (bitmap === null) return;
      if (socket !== this.socket || announced.index <= (this.newest?.index ?? -1)) bitmap.close();
      else this.show({ bitmap, index: announced.index, time: announced.time_seconds, at: performance.now() });
      return;
    }
    const message = JSON.parse(data);
    if (message.type === "image") this.announced = message;
    if (message.type !== "ready") return;
    this.isReady = true;
    this.windowSeconds = message.window_seconds;
    this.canvas.width = message.width_pixels;
    this.canvas.height = message.height_pixels;
  }

  show(frame) {
    this.before?.bitmap.close();
    this.before = this.newest;
    this.newest = frame;
    if (this.before !== null) return;
    this.canvas.hidden = false;
    const draw = () => {
      this.draw(performance.now());
      this.drawing = requestAnimationFrame(draw);
    };
    this.drawing = requestAnimationFrame(draw);
  }

  draw(now) {
    const { newest, before } = this;
    const time = newest.time + Math.min(MOST_AHEAD_SECONDS, (now - newest.at) / 1000);
    this.context.globalAlpha = 1;
    this.paint(before ?? newest, time);
    if (before === null) return;
    this.context.globalAlpha = Math.min(1, (now - newest.at) / BLEND_MS);
    this.paint(newest, time);
  }

  /** Paints a frame moved to where its sound is at a time; its right edge is drawn out over what is not known yet. */
  paint({ bitmap, time: shown }, time) {
    const { width, height } = this.canvas;
    const shift = Math.max(0, Math.min(width - 1, ((time - shown) / this.windowSeconds) * width));
    this.context.drawImage(bitmap, -shift, 0);
    if (shift > 0) this.context.drawImage(bitmap, width - 1, 0, 1, height, width - shift, 0, shift, height);
  }
}
