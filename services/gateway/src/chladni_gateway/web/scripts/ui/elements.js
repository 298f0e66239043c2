// Making elements.

/** Returns an element with properties and children; strings become text. */
export function make(tag, properties = {}, children = []) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Returns a copy of the one element of a template. */
export function copyOf(templateId) {
  return document.getElementById(templateId).content.cloneNode(true).firstElementChild;
}

/** Shows another symbol in a button. */
export function setSymbol(button, name) {
  button.querySelector("use").setAttribute("href", `#symbol-${name}`);
}
