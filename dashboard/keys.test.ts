import { expect, test } from 'vitest';
import { bindingOf, KEYS, keysOf } from './keys.ts';
import { PANES, type ViewKind } from './state/ui.ts';

const VIEWS: readonly ViewKind[] = [...PANES, 'trial', 'log', 'explain', 'compare', 'help'];

test('no key means two things in one view', () => {
  for (const view of VIEWS) {
    const keys = keysOf(view, false).flatMap((binding) => binding.keys);
    expect(new Set(keys).size, view).toBe(keys.length);
  }
});

test('j and k are never anything but movement', () => {
  for (const view of VIEWS) {
    expect(bindingOf('j', view, false)?.command).toBe('down');
    expect(bindingOf('k', view, false)?.command).toBe('up');
  }
});

test('read-only leaves out every key that changes a sweep', () => {
  const acts = KEYS.filter(({ acts }) => acts).map(({ command }) => command);
  expect(acts).toEqual(['pause', 'stop', 'kill', 'retry', 'drain']);
  for (const view of VIEWS) expect(keysOf(view, true).some(({ acts }) => acts)).toBe(false);
});
