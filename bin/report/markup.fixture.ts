/** Markup as a browser reads it. */
import { type DefaultTreeAdapterTypes, parse, parseFragment } from 'parse5';

export type Node = DefaultTreeAdapterTypes.Node;
export type Element = DefaultTreeAdapterTypes.Element;

/** Every element of a page, in its order. @throws {Error} where the standard calls something an error */
export function elementsOfPage(html: string): Element[] {
  return elementsIn(
    parse(html, {
      onParseError: ({ code, startLine }) => {
        throw new Error(`${code} in line ${startLine}`);
      },
    }),
  );
}

export const elementsOfFragment = (markup: string): Element[] => elementsIn(parseFragment(markup));

function elementsIn(node: Node): Element[] {
  const within = 'childNodes' in node ? node.childNodes.flatMap(elementsIn) : [];
  return 'tagName' in node ? [node, ...within] : within;
}

export function textOf(node: Node): string {
  if ('value' in node) return node.value;
  return 'childNodes' in node ? node.childNodes.map(textOf).join('') : '';
}

export const attributeOf = (element: Element, name: string): string | undefined =>
  element.attrs.find((one) => one.name === name)?.value;
