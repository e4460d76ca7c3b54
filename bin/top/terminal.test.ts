import { expect, test } from 'vitest';
import { hasKittyGraphics } from './terminal.ts';

test('Kitty graphics are used only on terminals that support them, and never inside tmux', () => {
  expect(hasKittyGraphics({ TERM: 'xterm-kitty' })).toBe(true);
  expect(hasKittyGraphics({ TERM_PROGRAM: 'ghostty', TERM: 'xterm-256color' })).toBe(true);
  expect(hasKittyGraphics({ TERM: 'xterm-256color' })).toBe(false);
  expect(hasKittyGraphics({ TERM: 'xterm-kitty', TMUX: '/tmp/tmux-0/default,1,0' })).toBe(false);
  expect(hasKittyGraphics({ TERM: 'tmux-256color', KITTY_WINDOW_ID: '1' })).toBe(false);
});
