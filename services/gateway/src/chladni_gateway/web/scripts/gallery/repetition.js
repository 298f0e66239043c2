// The settings that make an image again.

import { partOf } from "../audio/image_recordings.js";

const FALLBACK = "fallback";
const SPECTROGRAM = "spectrogram";

/** Returns the settings that make an image again: all of them, but the seed only if it should be the same. */
export function settingsOf({ provenance, recipe, seed, format, audio }, { withSeed }) {
  return {
    // An image of a fallback is made by the fallback again, even if the recipe itself is available by now.
    recipe: provenance.part === FALLBACK ? SPECTROGRAM : recipe,
    ...effortOf(provenance),
    scheduler: provenance.scheduler,
    width_pixels: provenance.width_pixels,
    height_pixels: provenance.height_pixels,
    reproducible: provenance.reproducible,
    format,
    ...optionsOf(provenance),
    ...partOf(audio),
    ...(withSeed && { seed }),
  };
}

/** Steps and guidance go to all parts of a recipe: if these differ, each part had its own by default. */
function effortOf({ steps, guidance_scale: guidance, earlier = [] }) {
  return {
    ...(earlier.every((part) => part.steps === steps) && { steps }),
    ...(earlier.every((part) => part.guidance_scale === guidance) && { guidance_scale: guidance }),
  };
}

function optionsOf(provenance) {
  const { noise_mode: mode, noise_weight: weight } = provenance.recipe_options ?? {};
  const options = {
    model: provenance.model,
    prompt: provenance.prompt,
    negative_prompt: provenance.negative_prompt,
    strength: provenance.strength,
    refiner_start: provenance.refiner_start,
    look: provenance.look,
    upscale: provenance.upscale > 1 ? provenance.upscale : null,
    noise_mode: mode,
    noise_weight: weight,
  };
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== null && value !== undefined && value !== ""),
  );
}
