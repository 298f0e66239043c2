// Samples of what a node of the Web Audio API gives, as they come.

const WORKLET = "/static/scripts/audio/pcm_worklet.js";

/** Why no samples can be had here, for people; an empty string if they can. */
export function tapUnavailableReason() {
  if (!window.isSecureContext) return "needs https, or this page on localhost";
  return window.AudioWorkletNode ? "" : "this browser offers no samples of audio";
}

/** Loads what `tap` needs into a context. */
export const prepareTap = (context) => context.audioWorklet.addModule(WORKLET);

/** Lets `onSamples` have mono blocks of what a source gives; returns an AnalyserNode of the same. */
export function tap(context, source, onSamples) {
  const analyser = new AnalyserNode(context, { fftSize: 2048, smoothingTimeConstant: 0.4 });
  const worklet = new AudioWorkletNode(context, "pcm-worklet", { numberOfOutputs: 1 });
  worklet.port.onmessage = ({ data }) => onSamples(data);
  source.connect(analyser);
  // A node that leads nowhere is not processed; this one leads to silence.
  const silence = new GainNode(context, { gain: 0 });
  source.connect(worklet).connect(silence).connect(context.destination);
  return analyser;
}
