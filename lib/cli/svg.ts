/** As much of SVG as the pictures need: elements as text. */

type Attributes = Readonly<Record<string, string | number>>;

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Text that stands for itself. Characters that XML has not at all are left out. */
export function escaped(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '').replace(/[&<>"]/g, (one) => ESCAPES[one]!);
}

/** Lengths in hundredths of a pixel. */
export function fixed(length: number): string {
  return String(Number(length.toFixed(2)));
}

/** An element with children, which are SVG already. */
export function element(name: string, attributes: Attributes, children: readonly string[] = []): string {
  const list = Object.entries(attributes).map(
    ([key, value]) => ` ${key}="${typeof value === 'number' ? fixed(value) : escaped(value)}"`,
  );
  const opening = `<${name}${list.join('')}`;
  return children.length === 0 ? `${opening}/>` : `${opening}>${children.join('')}</${name}>`;
}

/** A document of this size, on white. */
export function document(width: number, height: number, title: string, children: readonly string[]): string {
  const size = { xmlns: 'http://www.w3.org/2000/svg', width, height, viewBox: `0 0 ${fixed(width)} ${fixed(height)}` };
  const font = { 'font-family': 'sans-serif', 'font-size': '12px', fill: '#333333' };
  return `${element('svg', { ...size, ...font }, [
    element('title', {}, [escaped(title)]),
    element('rect', { width, height, fill: '#ffffff' }),
    ...children.map((child) => `\n${child}`),
  ])}\n`;
}
