import { expect, test } from 'vitest';
import { layersOf, parameterLayout, ROW } from './model.ts';
import { padded, unpadded } from './parameters.ts';

const [small, large] = [layersOf(3, 15), layersOf(3, 40)];
const values = Float32Array.from({ length: parameterLayout(small).rows * ROW }, (_, i) =>
  i < parameterLayout(small).parameters ? i + 1 : 0,
);

test('padding for wider layers can be reversed', () => {
  expect(unpadded(padded(values, small, large), small, large)).toEqual(values);
});

test('each weight is at the right position in the wider layers, surrounded by zeros', () => {
  const wide = padded(values, small, large);
  const same = 256 * 784 + 256 + 144 * 256 + 144;
  expect(wide.subarray(0, same)).toEqual(values.subarray(0, same));
  const code = wide.subarray(same, same + 40 * 144);
  expect(code.subarray(0, 15 * 144)).toEqual(values.subarray(same, same + 15 * 144));
  expect(code.subarray(15 * 144).every((value) => value === 0)).toBe(true);
  const decoder = wide.subarray(same + 40 * 144 + 40);
  const own = values.subarray(same + 15 * 144 + 15);
  expect(decoder.subarray(40, 55)).toEqual(own.subarray(15, 30));
  expect(decoder.subarray(55, 80).every((value) => value === 0)).toBe(true);
});
