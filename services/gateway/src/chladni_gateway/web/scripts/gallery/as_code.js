// The request that made an image, as other programs send it.

import { make } from "../ui/elements.js";
import { nameOf } from "./image_catalog.js";
import { settingsOf } from "./repetition.js";

const GRPC_PORT = 50050;
const GENERATION_FIELDS = ["seed", "steps", "guidance_scale", "scheduler", "width_pixels", "height_pixels"];
const NUMBERS = new Set(["seed", "steps", "guidance_scale", "width_pixels", "height_pixels", "strength", "noise_weight", "refiner_start", "upscale", "start_seconds", "end_seconds"]);

/** Returns the same request in each language, by its name. */
export function codeFor(image, { origin, host }) {
  const { reproducible, format, ...settings } = settingsOf(image, { withSeed: true });
  if (format && format !== "png") settings.format = format;
  if (!reproducible) settings.reproducible = false;
  const file = nameOf(image);
  return { curl: inCurl(settings, file, origin), Python: inPython(settings, file, host), gRPC: inGrpcurl(settings, file, host) };
}

function inCurl(settings, file, origin) {
  const lines = [`curl -F file=@${quoted(inForm(file))}`];
  for (const [name, value] of Object.entries(settings)) {
    // What -F would read as the name of a file, or as the end of the value.
    const flag = /^[@<"]|;/.test(value) ? "--form-string" : "-F";
    lines.push(`  ${flag} ${name}=${quoted(String(value))}`);
  }
  lines.push(`  ${origin}/api/v1/generate`);
  return lines.join(" \\\n");
}

/** Returns the name of a file as curl reads it in a form, where some letters end it. */
const inForm = (file) => (/[;,"]/.test(file) ? `"${file.replaceAll(/["\\]/g, "\\$&")}"` : file);

function inPython({ format, ...settings }, file, host) {
  const literal = (name, value) => (NUMBERS.has(name) || typeof value === "boolean" ? pythonValue(value) : JSON.stringify(value));
  const given = Object.entries({ ...settings, ...(format && { image_format: format }) });
  const lines = given.map(([name, value]) => `        ${name}=${literal(name, value)},`);
  return [
    "from chladni_client import Client",
    "",
    `with Client("${host}:${GRPC_PORT}") as client:`,
    "    image = client.create_image(",
    `        ${JSON.stringify(file)},`,
    ...lines,
    "    )",
    `    image.save("image.${format === "jpeg" ? "jpg" : (format ?? "png")}")`,
  ].join("\n");
}

const pythonValue = (value) => ({ true: "True", false: "False" })[value] ?? String(Number(value));

function inGrpcurl({ recipe, start_seconds: start, end_seconds: end, format, ...settings }, file, host) {
  const isGeneral = (name) => GENERATION_FIELDS.includes(name) || ["model", "look", "upscale", "refiner_start", "reproducible"].includes(name);
  const split = (isWanted) =>
    Object.fromEntries(
      Object.entries(settings)
        .filter(([name]) => isWanted(name))
        .map(([name, value]) => [name, NUMBERS.has(name) ? Number(value) : value]),
    );
  const options = split(isGeneral);
  if (format) options.encoding = { format: `IMAGE_FORMAT_${format.toUpperCase()}` };
  const recipeOptions = split((name) => !isGeneral(name));
  if (recipeOptions.noise_mode) recipeOptions.noise_mode = `NOISE_MODE_${recipeOptions.noise_mode.toUpperCase()}`;
  const audio = { content: "@@", ...(start !== undefined && { start: `${start}s`, end: `${end}s` }) };
  const request = {
    audio,
    recipe,
    options,
    ...(Object.keys(recipeOptions).length > 0 && { [recipe.replaceAll("-", "_")]: recipeOptions }),
  };
  const body = JSON.stringify(request).replaceAll("'", "\\u0027").replace('"@@"', `"'"$(base64 -w0 ${quoted(file)})"'"`);
  return [
    `printf '%s\\n' '${body}' |`, // Some shells' echo changes backslashes.
    `grpcurl -plaintext -d @ ${host}:${GRPC_PORT} \\`,
    "  chladni.gateway.v1.ImageService/CreateImage",
  ].join("\n");
}

const quoted = (text) => (/^[\w./:=@-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`);

/** Returns a part of the viewer that unfolds: one request in each language, with a button that copies it. */
export function renderCode(image) {
  const code = codeFor(image, { origin: location.origin, host: location.hostname });
  const blocks = Object.entries(code).map(([language, text]) => {
    const copy = make("button", { className: "link", type: "button" }, ["Copy"]);
    copy.setAttribute("aria-label", `Copy the ${language} request`);
    copy.addEventListener("click", async () => {
      const isCopied = await navigator.clipboard?.writeText(text).then(() => true, () => false);
      copy.textContent = isCopied ? "Copied" : "Select it and copy";
    });
    const block = make("pre", { className: "code__text", tabIndex: 0 }, [make("code", {}, [text])]);
    block.setAttribute("aria-label", `The request in ${language}`);
    block.setAttribute("role", "region");
    return make("div", { className: "code__block" }, [
      make("p", { className: "code__head" }, [make("span", {}, [language]), copy]),
      block,
    ]);
  });
  return make("details", { className: "provenance code" }, [make("summary", {}, ["As code"]), ...blocks]);
}
