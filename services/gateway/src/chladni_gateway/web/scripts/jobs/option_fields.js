// The options of recipes: each is shown while the recipe that is chosen takes it.

export class OptionFields {
  /** `fieldset` holds a label for each option, with the option's name as its data-option. */
  constructor(fieldset) {
    this.fieldset = fieldset;
    this.fields = [...fieldset.querySelectorAll("[data-option]")];
  }

  get names() {
    return this.fields.map((field) => field.dataset.option);
  }

  /** Shows the options of a recipe; what is hidden is not sent. */
  show({ options, required_options: required }) {
    for (const field of this.fields) {
      const { option } = field.dataset;
      const control = field.querySelector("input, select, textarea");
      field.hidden = control.disabled = !options.includes(option);
      control.toggleAttribute("required", required.includes(option));
      field.querySelector(".field__required").hidden = !required.includes(option);
    }
    this.fieldset.hidden = this.fields.every((field) => field.hidden);
  }
}
