import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Segment, widthOf } from '../../lib/text/segment.ts';
import { fitParts, type Part } from './fit-parts.ts';

const PARTS: Part[] = [
  { forms: ['2 failed (1 oom, 1 crash)', '2 failed'], rank: 2 },
  { forms: ['running for 51s', ''], rank: 1 },
  { forms: ['1 agent up'], rank: 0 },
];
const textOf = (segments: readonly Segment[]): string => segments.map(({ text }) => text).join('');

test('the least important part of a line is shortened or omitted first, and an omitted part leaves no separator', () => {
  expect(textOf(fitParts(PARTS, ' · ', 80))).toBe('2 failed (1 oom, 1 crash) · running for 51s · 1 agent up');
  expect(textOf(fitParts(PARTS, ' · ', 50))).toBe('2 failed (1 oom, 1 crash) · 1 agent up');
  expect(textOf(fitParts(PARTS, ' · ', 30))).toBe('2 failed · 1 agent up');
});

test('a line whose parts can all be omitted fits any width', () => {
  const text = fc.string({ minLength: 1, maxLength: 20, unit: fc.constantFrom('a', 'b', ' ') });
  const part = fc.record({ forms: fc.tuple(text, fc.constant('')), rank: fc.nat(3) });
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), fc.nat(60), (parts, columns) => {
      expect(widthOf(fitParts(parts, ' · ', columns))).toBeLessThanOrEqual(columns);
    }),
  );
});
