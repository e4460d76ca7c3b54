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
])('keys that are typed early are held for the dashboard: %s %j %s', (verb, args, expected) => {
  expect(opensDashboard(verb, args)).toBe(expected);
});
