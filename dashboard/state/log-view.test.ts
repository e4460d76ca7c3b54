import fc from 'fast-check';
import { expect, test } from 'vitest';
import { appendLines, type LogText, searchLog, wrapLog } from './log-text.ts';
import {
  firstRow,
  followLog,
  type LogPage,
  matchIndex,
  START_LOG,
  scrollLog,
  scrollToStart,
  startSearch,
  stepMatch,
  toggleFollow,
} from './log-view.ts';

const numbered = (count: number): LogText => ({
  dropped: 0,
  lines: Array.from({ length: count }, (_, i) => `line ${i}`),
});
const pageOf = (text: LogText, lines = 10, columns = 40): LogPage => ({ text, columns, lines });

test('a log opens at its end, and follows new lines until the user scrolls up', () => {
  const page = pageOf(numbered(30));
  const longer = pageOf(appendLines(page.text, ['new'], 1000));
  expect(firstRow(START_LOG, page)).toBe(20);
  expect(firstRow(START_LOG, longer)).toBe(21);
  const up = scrollLog(START_LOG, page, -1);
  expect(up.follow).toBe(false);
  expect(firstRow(up, page)).toBe(19);
  expect(firstRow(up, longer)).toBe(19);
  expect(firstRow(followLog(up), longer)).toBe(21);
});

test('following does not stop if the user scrolls down at the end, or scrolls a log that fits on the page', () => {
  expect(scrollLog(START_LOG, pageOf(numbered(30)), 5).follow).toBe(true);
  expect(scrollLog(START_LOG, pageOf(numbered(5)), -5).follow).toBe(true);
});

test('f stops following at the current position, and a second f follows the log again', () => {
  const page = pageOf(numbered(30));
  const stopped = toggleFollow(START_LOG, page);
  expect([stopped.follow, firstRow(stopped, page)]).toEqual([false, 20]);
  expect(toggleFollow(stopped, page).follow).toBe(true);
});

test('the first visible line stays the same when earlier lines are dropped, and when the width changes', () => {
  const page = pageOf(numbered(30));
  const at = scrollLog(scrollToStart(START_LOG, page), page, 12);
  const shorter = pageOf(appendLines(page.text, Array<string>(8).fill('new'), 30));
  const lineOf = (one: LogPage) => wrapLog(one.text, one.columns)[firstRow(at, one)]?.text;
  expect(lineOf(page)).toBe('line 12');
  expect(lineOf(shorter)).toBe('line 12');
  const narrow = pageOf(page.text, 10, 4);
  expect(wrapLog(narrow.text, 4)[firstRow(at, narrow)]).toMatchObject({ line: 12, from: 0 });
});

test('scrolling leaves no empty rows below a log that is longer than the page', () => {
  const moves = fc.array(fc.integer({ min: -40, max: 40 }), { maxLength: 10 });
  fc.assert(
    fc.property(fc.nat(60), fc.integer({ min: 1, max: 20 }), moves, (count, lines, bys) => {
      const page = pageOf(numbered(count), lines);
      const log = bys.reduce((one, by) => scrollLog(one, page, by), scrollToStart(START_LOG, page));
      expect(firstRow(log, page)).toBeGreaterThanOrEqual(0);
      expect(firstRow(log, page)).toBeLessThanOrEqual(Math.max(0, count - lines));
    }),
  );
});

test('a search starts at the first visible row, and n and N cycle through all matches', () => {
  const page = pageOf(numbered(30));
  const found = startSearch(scrollToStart(START_LOG, page), page, 'line 1');
  const matches = searchLog(page.text, 'line 1');
  const steps = (by: 1 | -1) => {
    const seen = [found];
    for (let i = 0; i < matches.length; i++) seen.push(stepMatch(seen.at(-1) ?? found, page, by));
    return seen.map((log) => matchIndex(log, matches));
  };
  expect(matches).toHaveLength(11);
  expect(steps(1)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0]);
  expect(steps(-1)).toEqual([0, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
});

test('the current match is always visible, and does not scroll away as the log grows', () => {
  const step = fc.array(fc.constantFrom(1 as const, -1 as const), { maxLength: 12 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 3, max: 20 }), step, (lines, columns, steps) => {
      const page = pageOf(numbered(40), lines, columns);
      const log = steps.reduce((one, by) => stepMatch(one, page, by), startSearch(START_LOG, page, '3'));
      const rows = wrapLog(page.text, columns).slice(firstRow(log, page)).slice(0, lines);
      const visible = rows.some(({ line, from, text }) => {
        return line === log.match?.line && log.match.from >= from && log.match.from < from + text.length;
      });
      expect(visible).toBe(true);
      expect(log.follow).toBe(false);
    }),
  );
});

test('a search without a match does not scroll; if all matches are above the page, the last match is shown', () => {
  const page = pageOf(numbered(30));
  expect(startSearch(START_LOG, page, 'absent')).toEqual({ ...START_LOG, search: 'absent' });
  expect(startSearch(START_LOG, page, 'line 3').match).toEqual({ line: 3, from: 0, to: 6 });
});
