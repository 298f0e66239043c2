// What in the sound makes what in the image, by the embedded recipe.
//
// `usual` are the 10th, 33rd, 67th and 90th percentiles of the corpus on which the descriptors were calibrated;
// between the inner two a sound counts as ordinary.

export const CORRESPONDENCES = [
  {
    name: "loudness",
    usual: [-28.4, -23, -18.2, -14.4],
    sound: ["quiet", "of middling loudness", "loud"],
    image: [
      "pale, with small bodies",
      "of middling contrast",
      "full of contrast and colour, with large bodies",
    ],
    rule: "Louder: more contrast and colour, larger bodies",
    after: "Marks 1987; Spence 2011",
  },
  {
    name: "dynamics",
    usual: [1.35, 7, 18.6, 45.4],
    sound: ["steady in level", "moderately dynamic", "full of pauses and peaks"],
    image: ["flat light", "some relief", "deep relief, shadow and vignette"],
    rule: "More dynamic: deeper light and shadow",
    after: "Palmer et al. 2013",
  },
  {
    name: "brightness",
    usual: [591, 1330, 2020, 2940],
    sound: ["dark in timbre", "of ordinary brightness", "bright in timbre"],
    image: ["dim, blue highlights", "neutral highlights", "luminous, yellow highlights"],
    rule: "Brighter: luminous and yellow highlights, not dim and blue ones; without a key, it decides the hue",
    after: "Marks 1974; Ward et al. 2006",
  },
  {
    name: "bandwidth",
    usual: [661, 1260, 1850, 2580],
    sound: ["narrow in spectrum", "of ordinary width", "wide in spectrum"],
    image: ["hues close together", "some spread of hues", "hues far apart"],
    rule: "Wider spectrum: hues further apart",
    after: "Ward et al. 2006",
  },
  {
    name: "flatness",
    usual: [-49.6, -40, -28.8, -18],
    sound: ["made of tones", "between tone and noise", "made of noise"],
    image: ["clear air and clean forms", "some haze", "clouds and mist that dissolve the forms"],
    rule: "More noise: clouds and mist dissolve the forms",
    after: "Adeli et al. 2014",
  },
  {
    name: "roughness",
    usual: [0.0146, 0.0546, 0.123, 0.438],
    sound: ["smooth", "a little rough", "rough"],
    image: ["smooth ridges", "slightly jagged ridges", "jagged ridges"],
    rule: "Rougher: the ridges are jagged",
    after: "Köhler 1947; Ramachandran & Hubbard 2001",
  },
  {
    name: "onset_rate",
    usual: [0.884, 2.4, 3.7, 4.72],
    sound: ["sparse", "moderately busy", "busy"],
    image: ["few bodies in a calm sky", "several bodies", "many bodies, and a sky full of cells"],
    rule: "More notes, syllables or strokes a second: more bodies, and cells in the sky",
    after: "Spence 2011",
  },
  {
    name: "tempo",
    usual: [61, 88, 127, 160],
    absent: 0,
    sound: ["slow", "of medium tempo", "fast"],
    image: ["bands far apart", "bands at middling distance", "bands close together"],
    rule: "Faster: rings and bands closer together",
    after: "Palmer et al. 2013; Spence 2011",
  },
  {
    name: "pitch_height",
    usual: [82.3, 124, 242, 471],
    absent: 0,
    sound: ["low in pitch", "of middle pitch", "high in pitch"],
    image: [
      "dark, with its figure low",
      "its figure in the middle",
      "light, with a fine figure high up",
    ],
    rule: "Higher: lighter, forms stand higher, the figure is finer",
    after: "Marks 1974; Ward et al. 2006; Spence 2011",
  },
  {
    name: "pitch_range",
    usual: [0.0156, 3.35, 11.3, 29.4],
    sound: ["steady in pitch", "moving in pitch", "wide in pitch"],
    image: ["calm lines", "some swing", "ridges and ribbons that swing widely"],
    rule: "Wider melody: ridges and ribbons swing further",
    after: "Spence 2011",
  },
  {
    name: "harmonicity",
    usual: [0.349, 0.709, 0.899, 0.988],
    sound: ["aperiodic", "partly periodic", "periodic, like a tone"],
    image: [
      "a landscape of ridges",
      "a plate that shows faintly behind ridges",
      "a vibrating plate with rings and nodal lines",
    ],
    rule: "More like a tone: a vibrating plate with rings and nodal lines, and less of the landscape",
    after: "Chladni 1787; Jenny 1967",
  },
  {
    name: "mode",
    usual: [-0.2, -0.02, 0.02, 0.2],
    sound: ["in minor", "neither in major nor in minor", "in major"],
    image: ["cool and dark", "undecided in warmth", "warm and light"],
    rule: "Major: warm and light; minor: cool and dark; it also decides the symmetry of the plate",
    after: "Palmer et al. 2013",
  },
];

export const CHROMA_RULE = {
  title: "pitch classes",
  rule: "Which notes: the base hue, around the circle of fifths, and the modes in which the plate vibrates; how many: the number of colours",
  after: "Scriabin, in Galeyev & Vanechkina 2001; Palmer et al. 2013; Chladni 1787",
};

export const COURSE_RULE = {
  title: "course in time",
  rule: "From left to right: ridges follow brightness, pitch, level and onsets; the ribbon follows the pitch, each body is an onset, the hue goes with the key. From the centre outwards: the level of the rings",
  after: "Spence 2011",
};

const BY_NAME = new Map(CORRESPONDENCES.map((correspondence) => [correspondence.name, correspondence]));
const USUAL_RANKS = [0.1, 1 / 3, 2 / 3, 0.9];

export const correspondenceOf = (name) => BY_NAME.get(name);

/** Returns whether a sound has none of what a descriptor measures: no pitch, no tempo. */
export const isAbsent = ({ name, value }) => value === BY_NAME.get(name)?.absent;

/** Returns where a descriptor stands among usual sounds, 0 (lowest) to 1; null where it is absent or unknown. */
export function rankOf(descriptor) {
  const known = descriptor && BY_NAME.get(descriptor.name);
  if (!known || isAbsent(descriptor)) return null;
  const values = [descriptor.minimum, ...known.usual, descriptor.maximum];
  const ranks = [0, ...USUAL_RANKS, 1];
  const above = values.findIndex((value, index) => index > 0 && descriptor.value <= value);
  if (above < 0) return 1;
  const [low, high] = [values[above - 1], values[above]];
  const share = high > low ? Math.max(0, (descriptor.value - low) / (high - low)) : 0;
  return ranks[above - 1] + share * (ranks[above] - ranks[above - 1]);
}

/** Returns 0, 1 or 2: low, ordinary or high. */
export const thirdOf = (rank) => (rank < USUAL_RANKS[1] ? 0 : rank > USUAL_RANKS[2] ? 2 : 1);
