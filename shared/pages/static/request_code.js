// A chat request as code that works when it is pasted. A JSON text is also a Python literal.
const literal = (value) =>
  JSON.stringify(value, null, 1)
    .replace(/([{[])\n */g, "$1")
    .replace(/\n *([}\]])/g, "$1")
    .replace(/\n */g, " ");

export function requestAsCurl(origin, request) {
  const body = JSON.stringify(request, null, 2).replaceAll("'", "'\\''");
  return `curl ${origin}/v1/chat/completions \\
  -H "authorization: Bearer $ASSAY_KEY" \\
  -H "content-type: application/json" \\
  -d '${body}'`;
}

export function requestAsPython(origin, { model, messages, template_fields: fields, ...options }) {
  const turns = messages.map((message) => `        ${literal(message)},\n`).join("");
  const named = Object.entries(options).map(([name, value]) => `    ${name}=${literal(value)},\n`).join("");
  // The SDK has no parameter of this name.
  const extra = fields ? `    extra_body={"template_fields": ${literal(fields)}},\n` : "";
  return `import os
from openai import OpenAI

client = OpenAI(
    base_url="${origin}/v1",
    api_key=os.environ["ASSAY_KEY"],
)
answer = client.chat.completions.create(
    model=${literal(model)},
    messages=[
${turns}    ],
${named}${extra})
print(answer.choices[0].message.content)
`;
}
