import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseSeek, replayText, seek, seekBy, shownAt, startClock, togglePause, withSpeed } from './replay-clock.ts';

const START = new Date(2026, 0, 2, 23, 0, 0).getTime();
const HOUR = 3_600_000;
const clock = startClock(START, START + 2 * HOUR, 60, 0);

test('the replay advances at its speed, and stops at the end', () => {
  expect(shownAt(clock, 0)).toBe(START);
  expect(shownAt(clock, 60_000)).toBe(START + HOUR);
  expect(shownAt(clock, 600_000)).toBe(START + 2 * HOUR);
});

test('a paused replay keeps its position, and resumes from that position', () => {
  const paused = togglePause(clock, 60_000);
  expect(shownAt(paused, 90_000)).toBe(START + HOUR);
  expect(shownAt(togglePause(paused, 90_000), 91_000)).toBe(START + HOUR + 60_000);
});

test('a replay that has ended starts again when it is resumed', () => {
  const again = togglePause(clock, 600_000);
  expect(again.paused).toBe(false);
  expect(shownAt(again, 600_000)).toBe(START);
});

test('a replay always shows a time within the sweep, and does not jump when its speed changes or it is paused', () => {
  const real = fc.integer({ min: 0, max: 1_000_000 });
  fc.assert(
    fc.property(
      real,
      real,
      fc.double({ min: -3, max: 3, noNaN: true }),
      fc.double({ min: 0.1, max: 500, noNaN: true }),
      (a, b, by, speed) => {
        const moved = seekBy(clock, a, by);
        const at = a + b;
        const shown = shownAt(moved, at);
        expect(shown).toBeGreaterThanOrEqual(START);
        expect(shown).toBeLessThanOrEqual(START + 2 * HOUR);
        expect(shownAt(withSpeed(moved, at, speed), at)).toBe(shown);
        if (shown < moved.endMs) expect(shownAt(togglePause(moved, at), at)).toBe(shown);
      },
    ),
  );
});

test.each([
  ['50%', START + HOUR],
  ['30m', START + HOUR / 2],
  ['+5m', START + HOUR + 5 * 60_000],
  ['-30s', START + HOUR - 30_000],
  ['23:10', START + 10 * 60_000],
  ['00:30:05', START + 1.5 * HOUR + 5_000],
  ['25:00', undefined],
  ['later', undefined],
])('the position %s of a replay is converted to a time', (text, expected) => {
  expect(parseSeek(text, seek(clock, 0, START + HOUR), 0)).toBe(expected);
});

test('the header shows the speed, position and state of the replay', () => {
  expect(replayText(clock, 60_000)).toBe('REPLAY 60×, 50%, 1h00m of 2h00m');
  expect(replayText(togglePause(clock, 60_000), 0)).toBe('REPLAY 60× paused, 50%, 1h00m of 2h00m');
  expect(replayText(clock, 600_000)).toBe('REPLAY 60× ended, 100%, 2h00m of 2h00m');
});
