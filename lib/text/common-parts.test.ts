import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commonParts } from './common-parts.ts';
import { columnsOf } from './width.ts';

const part = fc.string({ unit: fc.constantFrom('a', 'b', '1', '2', '-', '.'), maxLength: 8 });
const names = fc
  .tuple(part, fc.array(part, { minLength: 1, maxLength: 6 }), part)
  .map(([start, middles, end]) => middles.map((middle) => start + middle + end));

test('shortened names fit the width, and different names stay different if the width is at least the minimum width', () => {
  fc.assert(
    fc.property(names, fc.nat(30), (all, width) => {
      const { cut, minWidth } = commonParts(all);
      const shown = all.map((name) => cut(name, width));
      for (const text of shown) expect(columnsOf(text)).toBeLessThanOrEqual(width);
      if (new Set(all).size > 1 && width >= minWidth) expect(new Set(shown).size).toBe(new Set(all).size);
    }),
  );
});

test('shortened names stay different, even if some characters of their common ending also occur in the parts that differ', () => {
  const names = ['1b-b-1.-a1.111.1', '1b-b-1.-.111.1', '1b-b-1.-..111.1'];
  expect(names.map((name) => commonParts(names).cut(name, 10))).toEqual(['1b-b-1…a1…', '1b-b-1.-…', '1b-b-1.-.…']);
});

test('the common part of names is omitted first', () => {
  const cutTo = (width: number, ...all: string[]) => all.map((name) => commonParts(all).cut(name, width));
  expect(cutTo(10, 'gpu-cluster-west-node-07', 'gpu-cluster-west-node-12')).toEqual(['gpu-clu…07', 'gpu-clu…12']);
  expect(cutTo(12, 'node07.rack3.example.com', 'node12.rack3.example.com')).toEqual(['node07.rack…', 'node12.rack…']);
  expect(cutTo(8, 'eu-west-a1.example.com', 'eu-west-b2.example.com')).toEqual(['eu-w…a1…', 'eu-w…b2…']);
  expect(cutTo(20, 'agent-1', 'agent-10')).toEqual(['agent-1', 'agent-10']);
  expect(cutTo(6, 'agent-1', 'agent-10')).toEqual(['agen…1', 'age…10']);
});

test('commonParts handles hundreds of thousands of names', () => {
  const names = Array.from({ length: 300_000 }, (_, n) => `/data/${n}/train.npz`);
  expect(commonParts(names)).toMatchObject({ minWidth: 8, hasCommonEnd: true });
});
