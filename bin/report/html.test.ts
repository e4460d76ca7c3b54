import fc from 'fast-check';
import { expect, test } from 'vitest';
import { visibleLines } from '../../lib/text/visible-text.ts';
import { documentOf } from './document-of.ts';
import { everywhere, HOSTILE_SWEEP, hostileText } from './hostile.fixture.ts';
import { htmlOf } from './html.ts';
import { attributeOf, elementsOfPage, textOf } from './markup.fixture.ts';
import { reportData } from './report-data.fixture.ts';

const shapeOf = (html: string) =>
  elementsOfPage(html).map(({ tagName, attrs }) => [
    tagName,
    ...attrs.flatMap(({ name }) => (name === 'class' ? [] : [name])),
  ]);

const hostile = () =>
  htmlOf(
    documentOf(
      reportData(HOSTILE_SWEEP, ({ index, seed }) =>
        index === 3
          ? { state: 'failed', failure: { class: 'crash', message: '<script>alert(2)</script>\u001b[0m' } }
          : { curves: { loss: [5, 4, 3, 2].map((v) => v + index + seed), 'm<b>|`](x)': [1, 2, 3, 4] } },
      ),
      new Date(0),
    ),
  );

test('text in a report never changes the elements or attributes of the page', () => {
  const plain = shapeOf(htmlOf(everywhere('x')));
  fc.assert(
    fc.property(hostileText, (text) => {
      const html = htmlOf(everywhere(text));
      expect(shapeOf(html)).toEqual(plain);
      const heading = elementsOfPage(html).find(({ tagName }) => tagName === 'h1');
      expect(heading && textOf(heading)).toBe(visibleLines(text));
    }),
  );
});

test('hostile names are shown as text, in tables and in charts', () => {
  const html = hostile();
  const tags = new Set(elementsOfPage(html).map(({ tagName }) => tagName));
  for (const tag of ['script', 'img', 'b', 'iframe', 'object', 'link', 'form']) expect(tags).not.toContain(tag);
  expect(html).toContain('&lt;svg onload=alert(1)&gt;');
  expect(html).not.toContain('\u001b');
  const kinds = elementsOfPage(html)
    .filter(({ tagName }) => tagName === 'td')
    .map(textOf);
  expect(kinds).toContain('<svg onload=alert(1)>');
  expect(kinds).toContain('line\nbreak');
});

test('the page loads no resources, runs no scripts and has no external links', () => {
  for (const html of [hostile(), htmlOf(everywhere('https://evil.example/x.png'))]) {
    for (const { tagName, attrs } of elementsOfPage(html)) {
      expect(['script', 'link', 'iframe', 'use', 'image', 'base']).not.toContain(tagName);
      for (const { name, value } of attrs) {
        expect(name).not.toMatch(/^on|^srcset$|^xlink|^action$/);
        if (name === 'src') expect(value).toMatch(/^data:image\/png;base64,[\w+/=]+$/);
        if (name === 'href') expect(value).toMatch(/^#[a-z-]+$/);
      }
    }
    const [style] = elementsOfPage(html).filter(({ tagName }) => tagName === 'style');
    expect(style && textOf(style)).not.toMatch(/url\(|@import|https?:/);
    expect(html).toContain(`content="default-src 'none'; img-src data:; style-src 'unsafe-inline'"`);
  }
});

test('every link in the table of contents leads to a section, and every chart has alternative text', () => {
  const elements = elementsOfPage(hostile());
  const ids = elements.flatMap((element) => attributeOf(element, 'id') ?? []);
  expect(new Set(ids).size).toBe(ids.length);
  const links = elements.filter(({ tagName }) => tagName === 'a').map((element) => attributeOf(element, 'href'));
  expect(links).toEqual(elements.filter(({ tagName }) => tagName === 'section').map((e) => `#${attributeOf(e, 'id')}`));
  const charts = elements.filter((element) => attributeOf(element, 'role') === 'img');
  expect(charts.length).toBeGreaterThan(3);
  for (const chart of charts) expect(attributeOf(chart, 'aria-label')).toMatch(/\w/);
});
