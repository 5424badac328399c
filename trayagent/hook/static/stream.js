// Server-sent events over fetch (EventSource cannot send a bearer token). WHATWG HTML §9.2.6.

/** The events of a byte stream, as `{name, data}` with `data` decoded from JSON; the first has no name. */
export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  yield { name: "", data: null };
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).replace(/\r\n?/g, "\n").split("\n\n");
    rest = blocks.pop();
    yield* blocks.map(parse).filter(({ name }) => name);
  }
}

/** One block of lines → `{name, data}`; comments and other fields are skipped. */
export function parse(block) {
  const found = { name: "", data: null };
  const data = [];
  for (const line of block.split("\n")) {
    const [, key, value] = line.match(/^([^:]*)(?:: ?(.*))?$/s) ?? [];
    if (key === "event") found.name = value ?? "";
    else if (key === "data") data.push(value ?? "");
  }
  if (data.length) found.data = JSON.parse(data.join("\n"));
  return found;
}
