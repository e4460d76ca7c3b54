import { expect, test } from 'vitest';
import type { Notice } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { ProgramStart } from '../../proto/gen/trawl/v1/types.ts';
import { recordOf } from './records.ts';

const notice = (fields: Partial<Notice>) =>
  recordOf({
    key: { sweepId: '1', trialId: '0123abcd', attempt: 1 },
    seq: 1,
    atMs: 5,
    body: {
      $case: 'notice',
      notice: { kind: 'WARNING_KIND_UNREADABLE_REPORTS', message: 'm', count: 2, ...fields },
    },
  });

test('a notice is read with its kind, message and count', () => {
  expect(notice({ message: 'x'.repeat(4_000) })).toMatchObject({
    kind: 'notice',
    warning: 'unreadable_reports',
    count: 2,
  });
  expect(notice({ kind: 'WARNING_KIND_HOOK_NOT_LOADED', count: 0 })).toMatchObject({ warning: 'hook_not_loaded' });
});

test.each<[string, Partial<Notice>, RegExp]>([
  ['without a kind', { kind: 'WARNING_KIND_UNSPECIFIED' }, /a notice must have a kind/],
  ['of an unknown kind', { kind: 'UNRECOGNIZED' }, /a notice must have a kind/],
  ['that is too long', { message: 'x'.repeat(4_001) }, /notice too long \(max 4000 characters\)/],
  ['with a fractional count', { count: 0.5 }, /invalid count of a notice: 0.5/],
  ['with a negative count', { count: -1 }, /invalid count of a notice: -1/],
  ['with an unsafe count', { count: 2 ** 53 }, /invalid count of a notice/],
])('a notice %s is rejected', (_, fields, message) => {
  expect(() => notice(fields)).toThrow(message);
});

const program = (fields: Partial<ProgramStart>) =>
  recordOf({
    key: { sweepId: '1', trialId: '0123abcd', attempt: 1 },
    seq: 1,
    atMs: 5,
    body: {
      $case: 'program',
      program: { command: ['p'], interpreter: '', python: '', packages: '', attempt: 9, ...fields },
    },
  });

test('a program record within the limits is read', () => {
  const fields = { command: ['x'.repeat(16_384)], packages: 'p'.repeat(65_536) };
  const started = { interpreter: '', python: '', attempt: 0, ...fields };
  expect(program(fields)).toMatchObject({ kind: 'program', program: started });
});

test.each<[string, Partial<ProgramStart>, RegExp]>([
  ['a long command', { command: Array(1_000).fill('x'.repeat(40)) }, /program record too long/],
  ['a long path', { interpreter: '/'.repeat(5_001) }, /program record too long/],
  ['a long list of packages', { packages: 'ü'.repeat(32_769) }, /list of packages too long \(max 65536 bytes\)/],
])('a program record with %s is rejected', (_, fields, message) => {
  expect(() => program(fields)).toThrow(message);
});

test.each([8.64e15 + 1, Number.MAX_SAFE_INTEGER])(
  'the time %d is beyond the range of dates, and becomes the latest possible date',
  (atMs) => {
    const body = { $case: 'log', log: { text: 'x' } } as const;
    const { at } = recordOf({ key: { sweepId: '1', trialId: 't', attempt: 1 }, seq: 1, atMs, body });
    expect(new Date(at).toISOString()).toBe('+275760-09-13T00:00:00.000Z');
  },
);
