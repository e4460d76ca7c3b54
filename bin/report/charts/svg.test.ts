import { expect, test } from 'vitest';
import { clipped, element, text } from './svg.ts';

test('a long label is shortened to the given length, and keeps its start and its end', () => {
  expect(clipped('short', 5)).toBe('short');
  expect(clipped('another string: A', 10)).toBe('anothe…: A');
  expect(clipped('another string: B', 10)).toBe('anothe…: B');
  expect(clipped('😀'.repeat(20), 6)).toBe('😀😀😀…😀😀');
});

test('text and attributes in SVG are escaped, including single and double quotes', () => {
  expect(text(0, 0, `<b>&"'`)).toBe('<text x="0" y="0">&lt;b&gt;&amp;&quot;&#39;</text>');
  expect(element('line', { class: '" onload="x' })).toBe('<line class="&quot; onload=&quot;x"/>');
});

test('coordinates are rounded to tenths of a pixel', () => {
  expect(element('circle', { cx: 1 / 3, cy: 2 })).toBe('<circle cx="0.3" cy="2"/>');
});
