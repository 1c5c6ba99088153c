/** Checks that markup nests: every element that is opened is closed, in order, and every attribute is quoted. */

/** Elements of HTML that have no end. */
const VOID = new Set(['meta', 'br', 'hr', 'img', 'link', 'input']);
const TAG = /<(\/?)([a-zA-Z][\w-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/y;

/** Throws where `text` is not well-formed. */
export function checkMarkup(text: string): void {
  const open: string[] = [];
  const body = text.replace(/^<!doctype html>/i, '').replace(/<style>[^<]*<\/style>/g, '');
  for (let at = body.indexOf('<'); at !== -1; at = body.indexOf('<', TAG.lastIndex)) {
    TAG.lastIndex = at;
    const tag = TAG.exec(body);
    if (tag === null) throw new Error(`no tag at ${JSON.stringify(body.slice(at, at + 60))}`);
    const [, closing, name = '', , empty] = tag;
    if (closing === '/') {
      const opened = open.pop();
      if (opened !== name) throw new Error(`</${name}> closes <${String(opened)}>`);
    } else if (empty !== '/' && !VOID.has(name)) {
      open.push(name);
    }
  }
  if (open.length > 0) throw new Error(`<${open.join('>, <')}> left open`);
  const loose = /&(?!(?:amp|lt|gt|quot|#\d+);)/.exec(body);
  if (loose !== null) throw new Error(`a bare & at ${JSON.stringify(body.slice(loose.index, loose.index + 40))}`);
}
