// How the scores of a machine develop: kept in this browser, drawn over time.

const KEY = "machine-trends";
const MOST = 200; // Points kept of a machine.
const TOP = 20;
const SHARPNESS = 1.5; // Pixels of the canvas for one of the page.
const MIN_WIDTH = 480;
const MARGIN = { left: 40, right: 12, top: 10, bottom: 22 };

export class Trend {
  constructor() {
    this.points = recall();
  }

  /** Returns `{time, name, score, result}`, the oldest first. */
  of(machine) {
    return Object.hasOwn(this.points, machine) ? this.points[machine] : [];
  }

  add(machine, point) {
    this.points[machine] = [...this.of(machine), { time: Date.now(), ...point }].slice(-MOST);
    remember(this.points);
  }

  drop(machine) {
    delete this.points[machine];
    remember(this.points);
  }
}

/** Draws the scores as dots on a line, in the colours of what they mean. */
export function drawTrend(canvas, points, { maintenance, severe }) {
  canvas.width = Math.max(MIN_WIDTH, canvas.clientWidth * SHARPNESS);
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  const style = getComputedStyle(canvas);
  const top = Math.max(TOP, ...points.map(({ score }) => score * 1.1));
  const x = (index) => MARGIN.left + (index / Math.max(1, points.length - 1)) * (width - MARGIN.left - MARGIN.right);
  const y = (score) => height - MARGIN.bottom - (score / top) * (height - MARGIN.top - MARGIN.bottom);
  context.clearRect(0, 0, width, height);
  context.font = "16px ui-monospace, monospace";
  context.textAlign = "right";
  context.fillStyle = context.strokeStyle = style.color;
  context.lineWidth = 1;
  for (const level of [0, maintenance, severe]) {
    context.globalAlpha = 0.55;
    context.setLineDash(level === 0 ? [] : [6, 5]);
    context.beginPath();
    context.moveTo(MARGIN.left, y(level));
    context.lineTo(width - MARGIN.right, y(level));
    context.stroke();
    context.globalAlpha = 1;
    context.fillText(String(level), MARGIN.left - 8, y(level) + 5);
  }
  context.setLineDash([]);
  context.lineWidth = 2;
  context.beginPath();
  points.forEach(({ score }, index) => (index === 0 ? context.moveTo(x(0), y(score)) : context.lineTo(x(index), y(score))));
  context.stroke();
  points.forEach(({ score }, index) => {
    const level = score < maintenance ? "high" : score < severe ? "medium" : "low";
    context.fillStyle = resolved(canvas, level);
    context.beginPath();
    context.arc(x(index), y(score), 5, 0, 2 * Math.PI);
    context.fill();
  });
}

/** Returns a colour of the page for a canvas, light or dark as the page is. */
function resolved(canvas, level) {
  canvas.dataset.level = level;
  const value = getComputedStyle(canvas).outlineColor;
  delete canvas.dataset.level;
  return value;
}

function recall() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

function remember(points) {
  try {
    localStorage.setItem(KEY, JSON.stringify(points));
  } catch {
    // Nothing to do.
  }
}
