/** SVG as text. */

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** For text and for attributes in either quote, in HTML and in XML. */
export const escapeMarkup = (text: string): string => text.replace(/[&<>"']/g, (c) => ENTITIES[c] ?? c);

export type Attributes = Readonly<Record<string, string | number>>;

/** Tenths of a pixel are enough, and keep a page of many charts small. */
const rounded = (value: string | number) => (typeof value === 'number' ? String(Math.round(value * 10) / 10) : value);

/** @param content markup, escaped already */
export function element(name: string, attributes: Attributes, content = ''): string {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapeMarkup(rounded(value))}"`);
  return content === '' ? `<${name}${written.join('')}/>` : `<${name}${written.join('')}>${content}</${name}>`;
}

export const text = (x: number, y: number, label: string, attributes: Attributes = {}): string =>
  element('text', { x, y, ...attributes }, escapeMarkup(label));

export const line = (x1: number, y1: number, x2: number, y2: number, className: string): string =>
  element('line', { x1, y1, x2, y2, class: className });

/** Shortens a label to so many characters, keeping both of its ends; the whole of it is in a table. */
export function clipped(label: string, most: number): string {
  const characters = [...label];
  if (characters.length <= most) return label;
  const head = Math.ceil((most - 1) * 0.6);
  return `${characters.slice(0, head).join('')}…${characters.slice(characters.length - (most - 1 - head)).join('')}`;
}
