// Reads an error of the API: OpenAI's shape on its paths, problem details on the others; null for anything else.
export function problemOf(text) {
  try {
    const { error, detail, errors } = JSON.parse(text);
    if (error) return { message: error.message, param: error.param };
    const first = errors?.[0];
    return { message: first?.reason ? `${detail}: ${first.reason}` : detail, param: first?.field };
  } catch {
    return null;
  }
}
