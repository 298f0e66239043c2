// The formats in which an image can be downloaded, other than the one that it has.

import { make } from "../ui/elements.js";

const FORMATS = [
  { name: "png", title: "PNG", words: "exact to the last pixel" },
  { name: "jpeg", title: "JPEG", words: "small, opens everywhere" },
  { name: "webp", title: "WebP", words: "smaller still, for web pages" },
  { name: "svg", title: "SVG", words: "shapes, sharp at any size", isVector: true },
  { name: "pdf", title: "PDF", words: "shapes, for print", isVector: true },
];
const VECTOR_LOOK = "plate"; // The one that is made of shapes.

export class FormatSheet {
  /**
   * @param {HTMLDialogElement} dialog
   * @param {object} parts
   * @param {(image: object) => string} parts.label
   * @param {(image: object, format: string) => void} parts.onChoose
   */
  constructor(dialog, { label, onChoose }) {
    Object.assign(this, { dialog, label, onChoose });
    this.part = (id) => dialog.querySelector(`#formats-${id}`);
  }

  open(image) {
    const hasShapes = image.provenance.look === VECTOR_LOOK;
    this.part("title").textContent = `Download ${this.label(image)}`;
    this.part("list").replaceChildren(
      ...FORMATS.filter(({ name, isVector }) => name !== image.format && (hasShapes || !isVector)).map((format) =>
        this.render(image, format),
      ),
    );
    this.part("vectors").hidden = hasShapes;
    this.dialog.showModal();
  }

  render(image, { name, title, words }) {
    const button = make("button", { className: "action formats__choice", type: "button" }, [
      make("span", {}, [`as ${title}`]),
      make("span", { className: "field__hint" }, [words]),
    ]);
    button.addEventListener("click", () => {
      this.dialog.close();
      this.onChoose(image, name);
    });
    return make("li", {}, [button]);
  }
}
