import { expect, test } from 'vitest';
import { opensDashboard } from './early-keys.ts';

test.each([
  ['top', ['top', '3'], true],
  ['up', ['up', 'sweep.yaml'], true],
  ['top', ['top', '--once'], false],
  ['up', ['up', 'sweep.yaml', '-o', 'json'], false],
  ['up', ['up', 'sweep.yaml', '--output=json'], false],
  ['top', ['top', '--help'], false],
  ['ls', ['ls'], false],
  [undefined, [], false],
])('whether the verb %s with the arguments %j opens the dashboard: %s', (verb, args, expected) => {
  expect(opensDashboard(verb, args)).toBe(expected);
});
