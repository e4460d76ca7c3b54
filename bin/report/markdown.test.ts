import fc from 'fast-check';
import { marked } from 'marked';
import { expect, test } from 'vitest';
import { visibleText } from '../../lib/text/visible-text.ts';
import { documentOf } from './document-of.ts';
import { everywhere, HOSTILE_SWEEP, hostileText } from './hostile.fixture.ts';
import { markdownOf } from './markdown.ts';
import { attributeOf, elementsOfFragment, textOf } from './markup.fixture.ts';
import { reportData } from './report-data.fixture.ts';

const elementsOf = (markdown: string) => elementsOfFragment(marked.parse(markdown, { async: false }));

const shapeOf = (markdown: string) =>
  elementsOf(markdown).map(({ tagName, attrs }) => [tagName, ...attrs.map(({ name }) => name)]);

const hostile = (folder?: string) =>
  markdownOf(
    documentOf(
      reportData(HOSTILE_SWEEP, ({ index, seed }) => ({
        curves: { loss: [5, 4, 3, 2].map((v) => v + index + seed), 'm<b>|`](x)': [1, 2, 3, 4] },
      })),
      new Date(0),
    ),
    folder,
  );

test('hostile text does not change the HTML elements of a rendered Markdown report', () => {
  const plain = shapeOf(markdownOf(everywhere('x'), 'files').text);
  fc.assert(
    fc.property(hostileText, (text) => {
      const { text: markdown } = markdownOf(everywhere(text), 'files');
      expect(shapeOf(markdown)).toEqual(plain);
    }),
  );
});

test('text in a Markdown report is shown unchanged, on one line', () => {
  fc.assert(
    fc.property(hostileText, (text) => {
      const [heading] = elementsOf(markdownOf(everywhere(text)).text);
      const shown = heading === undefined ? '' : textOf(heading);
      expect(shown.replace(/\s+/g, ' ')).toBe(visibleText(text.trim()).replace(/\s+/g, ' '));
    }),
  );
});

test('hostile names are shown as text, and the sweep file is one code block', () => {
  const elements = elementsOf(hostile().text);
  const tags = new Set(elements.map(({ tagName }) => tagName));
  for (const tag of ['script', 'img', 'a', 'b', 'svg']) expect(tags).not.toContain(tag);
  const code = elements.filter(({ tagName }) => tagName === 'code').at(-1);
  expect(code && textOf(code).trimEnd()).toBe(HOSTILE_SWEEP.trimEnd());
});

test('every image of a Markdown report has its file, and every file is shown', () => {
  const { text, files } = hostile('a-report');
  const images = elementsOf(text).flatMap((element) => attributeOf(element, 'src') ?? []);
  expect(images.length).toBeGreaterThan(3);
  expect(images).toEqual([...files.keys()]);
  for (const [path, content] of files) {
    expect(path).toMatch(/^a-report\/\d\d\.svg$/);
    expect(content).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    for (const element of elementsOfFragment(String(content))) {
      expect(['svg', 'style', 'rect', 'line', 'path', 'circle', 'text']).toContain(element.tagName);
      expect(element.attrs.filter(({ name }) => /^on|href/.test(name))).toEqual([]);
      if (element.tagName === 'style') expect(textOf(element)).not.toMatch(/url\(|@import/);
    }
  }
});

test('a Markdown report without a folder has tables instead of charts, and no files', () => {
  const { text, files } = hostile();
  expect(files.size).toBe(0);
  expect(text).toContain('### loss over the epochs');
  expect(elementsOf(text).filter(({ tagName }) => tagName === 'table').length).toBeGreaterThan(4);
});

test('each image of a Markdown report is a separate file, and is shown under its caption', () => {
  const { text, files } = markdownOf(everywhere('x'), 'f');
  expect([...files.keys()]).toEqual(['f/01.svg', 'f/02.svg', 'f/03.png']);
  expect(text).toContain('**x**: x\n\n![x](f/03.png)');
});
