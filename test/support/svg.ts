/** Parses SVG as strictly as the tests need: tags must match, attributes must be quoted and apart, text be escaped. */

export interface SvgElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: SvgElement[];
  text: string;
}

const TOKEN = /<\/([a-z]+)>|<([a-z]+)((?: [a-zA-Z0-9-]+="[^"<]*")*)(\/?)>|([^<>]+)/gy;
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"' };

function unescaped(text: string): string {
  return text.replace(/&([a-z]*);?/g, (whole, name: string) => {
    const character = whole.endsWith(';') ? ENTITIES[name] : undefined;
    if (character === undefined) throw new Error(`there is no entity ${whole}`);
    return character;
  });
}

function attributesOf(list: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [, name = '', value = ''] of list.matchAll(/ ([^=]+)="([^"]*)"/g)) {
    if (name in attributes) throw new Error(`attribute ${name} stands twice`);
    attributes[name] = unescaped(value);
  }
  return attributes;
}

/** The document's root; throws where it is not well-formed. */
export function parseSvg(source: string): SvgElement {
  const outermost: SvgElement = { name: '', attributes: {}, children: [], text: '' };
  const open = [outermost];
  TOKEN.lastIndex = 0;
  let at = 0;
  for (let token = TOKEN.exec(source); token !== null; token = TOKEN.exec(source)) {
    const [, closed, opened, attributes = '', selfClosed, text] = token;
    at = TOKEN.lastIndex;
    if (closed !== undefined) {
      if (open.pop()?.name !== closed) throw new Error(`</${closed}> closes another element, before character ${at}`);
    } else if (opened !== undefined) {
      const child: SvgElement = { name: opened, attributes: attributesOf(attributes), children: [], text: '' };
      open.at(-1)!.children.push(child);
      if (selfClosed === '') open.push(child);
    } else {
      open.at(-1)!.text += unescaped(text ?? '');
    }
  }
  const [root, ...more] = outermost.children;
  if (at !== source.length || open.length !== 1 || root === undefined || more.length > 0) {
    throw new Error(`not well-formed at character ${at} of ${source.length}`);
  }
  return root;
}

/** All elements within one, itself too, in the order of the document. */
export function allOf(root: SvgElement, wanted: (element: SvgElement) => boolean): SvgElement[] {
  return [...(wanted(root) ? [root] : []), ...root.children.flatMap((child) => allOf(child, wanted))];
}
