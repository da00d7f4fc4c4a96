// Options of an upload out of a form: the mapping of columns, and all options as an event holds them.
export function mappingOf(form) {
  const mapping = {};
  for (const row of form.querySelectorAll("[data-mapping]")) {
    const column = row.querySelector("[data-column]").value;
    const field = row.querySelector("[data-field]").value;
    if (column && field) mapping[column] = field;
  }
  return mapping;
}

export function optionsOf(form) {
  const text = Object.fromEntries(new FormData(form));
  const [name, version] = text.template ? text.template.split(":") : [];
  return {
    format: text.format,
    encoding: text.encoding,
    delimiter: text.delimiter === "\\t" ? "\t" : text.delimiter,
    sheet: text.sheet,
    shape: text.shape,
    group: text.group,
    validation_share: Number(text.validation_share),
    test_share: Number(text.test_share),
    mapping: mappingOf(form),
    template: name ? { name, version: Number(version) } : null,
  };
}
