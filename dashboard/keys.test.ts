import { expect, test } from 'vitest';
import { bindingOf, KEYS, keysOf } from './keys.ts';
import { PANES } from './source.ts';
import type { ViewKind } from './state/ui.ts';

const VIEWS: readonly ViewKind[] = [...PANES, 'trial', 'log', 'explain', 'compare', 'help'];

test('each key has at most one binding per view', () => {
  for (const view of VIEWS) {
    const keys = keysOf(view, false).flatMap((binding) => binding.keys);
    expect(new Set(keys).size, view).toBe(keys.length);
  }
});

test('j and k move the cursor in every view', () => {
  for (const view of VIEWS) {
    expect(bindingOf('j', view, false)?.command).toBe('down');
    expect(bindingOf('k', view, false)?.command).toBe('up');
  }
});

test('read-only mode removes every key that changes a sweep or an agent', () => {
  const changing = KEYS.filter(({ changes }) => changes).map(({ command }) => command);
  expect(changing).toEqual(['pause', 'stop', 'kill', 'retry', 'drain']);
  for (const view of VIEWS) expect(keysOf(view, true).some(({ changes }) => changes)).toBe(false);
});
