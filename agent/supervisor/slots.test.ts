import { describe, expect, test } from 'vitest';
import { Grant, RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { FromAttempt } from '../worker/ipc.ts';
import {
  busySlots,
  type Effect,
  heldAttempts,
  idleSlots,
  isHeld,
  isQuiet,
  MAX_LOG_CHARACTERS,
  newSlots,
  onDecision,
  onDismissed,
  onGraceOver,
  onOffer,
  onShutdown,
  onWorkerExit,
  onWorkerLog,
  onWorkerMessage,
  type Slot,
} from './slots.ts';

const key = (trialId: string) => ({ sweepId: '1', trialId, attempt: 1 });
const grant = Grant.fromPartial({ trainer: 'noop' });

function ready(count: number): Slot[] {
  const slots = newSlots(count);
  slots.forEach((_, at) => {
    onWorkerMessage(slots, at, { kind: 'ready', backend: 'wasm', pack: 1 });
  });
  return slots;
}

function running(): Slot[] {
  const slots = ready(1);
  onOffer(slots, key('t'), 1);
  onDecision(slots, 0, key('t'), { grant, mates: [] });
  return slots;
}

const kinds = (effects: Effect[] | 'again') => (effects === 'again' ? effects : effects.map(({ kind }) => kind));

test('an offer is claimed for an idle slot, acknowledged after the grant, and run', () => {
  const slots = ready(2);
  expect(idleSlots(slots, () => true)).toBe(2);
  expect(onOffer(slots, key('t'), 1)).toEqual([{ kind: 'claim', slot: 0, key: key('t') }]);
  expect(heldAttempts(slots)).toEqual([]);
  expect(kinds(onDecision(slots, 0, key('t'), { grant, mates: [] }))).toEqual(['acknowledge', 'run']);
  expect(heldAttempts(slots)).toEqual([key('t')]);
});

test('an offer that comes again while it is claimed or runs is acknowledged, not run twice', () => {
  const slots = ready(2);
  onOffer(slots, key('t'), 1);
  expect(onOffer(slots, key('t'), 2)).toEqual([{ kind: 'acknowledge', offer: 2 }]);
  onDecision(slots, 0, key('t'), { grant, mates: [] });
  expect(onOffer(slots, key('t'), 3)).toEqual([{ kind: 'acknowledge', offer: 3 }]);
});

test('without a free slot an offer is given back', () => {
  expect(kinds(onOffer(newSlots(1), key('t'), 1))).toEqual(['return']);
});

test('a refused claim frees the slot and drops the offer; without a session it is made again', () => {
  const slots = ready(1);
  onOffer(slots, key('t'), 1);
  expect(onDecision(slots, 0, key('t'), { refusal: { code: RefusalCode.NO_SESSION, message: '' } })).toBe('again');
  const refusal = { code: RefusalCode.LEASED, message: '' };
  expect(kinds(onDecision(slots, 0, key('t'), { refusal }))).toEqual(['acknowledge']);
  expect(idleSlots(slots, () => true)).toBe(1);
});

test('records are numbered from 1 without gaps, and the end is the last', () => {
  const slots = running();
  const effects = [
    ...onWorkerLog(slots, 0, 'hello'),
    ...onWorkerMessage(slots, 0, { key: key('t'), kind: 'report', epoch: 1, metrics: {} }),
    ...onWorkerMessage(slots, 0, { key: key('t'), kind: 'done' }),
    ...onWorkerLog(slots, 0, 'too late'),
  ];
  expect(effects.map((effect) => effect.kind === 'record' && effect.seq)).toEqual([1, 2, 3, false]);
  expect(effects.at(-1)).toEqual({ kind: 'over', key: key('t') });
  expect(idleSlots(slots, () => true)).toBe(1);
});

test('a worker that dies ends its attempt as a crash, and is started again', () => {
  const effects = onWorkerExit(running(), 0, 'was killed by SIGKILL');
  expect(effects).toMatchObject([
    { kind: 'record', body: { kind: 'failed', class: 'crash' } },
    { kind: 'over', key: key('t') },
    { kind: 'start' },
  ]);
});

test('a worker that dies while its slot claims gives the offer back', () => {
  const slots = ready(1);
  onOffer(slots, key('t'), 1);
  expect(kinds(onWorkerExit(slots, 0, 'exited with code 1'))).toEqual(['return', 'start']);
});

test('a dismissed attempt is stopped, says nothing more, and its slot works again', () => {
  const slots = running();
  expect(kinds(onDismissed(slots, key('t')))).toEqual(['stop']);
  expect(onWorkerMessage(slots, 0, { key: key('t'), kind: 'report', epoch: 1, metrics: {} })).toEqual([]);
  expect(idleSlots(slots, () => true)).toBe(0);
  onWorkerMessage(slots, 0, { key: key('t'), kind: 'stopped' });
  expect(idleSlots(slots, () => true)).toBe(1);
  expect(onDismissed(slots, key('t'))).toEqual([]);
});

test('the log of an attempt is cut at its limit, once, and that is said', () => {
  const slots = running();
  onWorkerLog(slots, 0, 'x'.repeat(MAX_LOG_CHARACTERS));
  expect(onWorkerLog(slots, 0, 'y')).toMatchObject([{ body: { text: expect.stringContaining('cut here') } }]);
  expect(onWorkerLog(slots, 0, 'z')).toEqual([]);
});

describe('a pack', () => {
  /** One slot that runs t, u and v together. */
  function pack(): Slot[] {
    const slots = ready(1);
    onOffer(slots, key('t'), 1);
    const effects = onDecision(slots, 0, key('t'), { grant, mates: ['u', 'v'].map((id) => ({ key: key(id), grant })) });
    expect(effects).toEqual([
      { kind: 'acknowledge', offer: 1 },
      { kind: 'run', slot: 0, granted: ['t', 'u', 'v'].map((id) => ({ key: key(id), grant })) },
    ]);
    return slots;
  }
  const say = (slots: Slot[], id: string, message: FromAttempt) =>
    onWorkerMessage(slots, 0, { key: key(id), ...message });

  test('is held whole, and an offer of a member is not run beside it', () => {
    const slots = pack();
    expect(heldAttempts(slots)).toEqual(['t', 'u', 'v'].map(key));
    expect(busySlots(slots)).toBe(1);
    expect(onOffer(slots, key('v'), 2)).toEqual([{ kind: 'acknowledge', offer: 2 }]);
  });

  test('each member has records of its own, and the slot is free after the last end', () => {
    const slots = pack();
    const report = { kind: 'report', epoch: 1, metrics: {} } as const;
    expect(say(slots, 'u', report)).toMatchObject([{ key: key('u'), seq: 1 }]);
    expect(say(slots, 't', report)).toMatchObject([{ key: key('t'), seq: 1 }]);
    expect(say(slots, 'u', { kind: 'failed', class: 'nan', message: '' })).toMatchObject([
      { kind: 'record', key: key('u'), seq: 2 },
      { kind: 'over', key: key('u') },
    ]);
    expect(heldAttempts(slots)).toEqual(['t', 'v'].map(key));
    say(slots, 't', { kind: 'done' });
    expect(idleSlots(slots, () => true)).toBe(0);
    say(slots, 'v', { kind: 'done' });
    expect(idleSlots(slots, () => true)).toBe(1);
  });

  test('a dismissed member is stopped, and the others go on', () => {
    const slots = pack();
    expect(onDismissed(slots, key('u'))).toEqual([{ kind: 'stop', slot: 0, key: key('u') }]);
    expect(heldAttempts(slots)).toEqual(['t', 'v'].map(key));
    expect(say(slots, 'u', { kind: 'done' })).toEqual([]);
    expect(say(slots, 'u', { kind: 'stopped' })).toEqual([{ kind: 'over', key: key('u') }]);
    expect(say(slots, 't', { kind: 'report', epoch: 1, metrics: {} })).toHaveLength(1);
  });

  test('what the worker prints is in the log of each', () => {
    expect(onWorkerLog(pack(), 0, 'hello')).toMatchObject(['t', 'u', 'v'].map((id) => ({ key: key(id), seq: 1 })));
  });

  test('is handed back member by member', () => {
    const slots = pack();
    say(slots, 't', { kind: 'done' });
    expect(onGraceOver(slots)).toEqual(['u', 'v'].map((id) => ({ kind: 'stop', slot: 0, key: key(id) })));
    expect(say(slots, 'u', { kind: 'stopped' })).toMatchObject([{ key: key('u'), body: { class: 'drained' } }, {}]);
    expect(isQuiet(slots)).toBe(false);
    expect(say(slots, 'v', { kind: 'stopped' })).toMatchObject([{ key: key('v'), body: { class: 'drained' } }, {}]);
    expect(isQuiet(slots)).toBe(true);
  });

  test('a worker that dies costs each member that still ran one attempt, and nobody else', () => {
    const slots = pack();
    say(slots, 't', { kind: 'done' });
    onDismissed(slots, key('u'));
    expect(onWorkerExit(slots, 0, 'was killed by SIGKILL')).toMatchObject([
      { kind: 'over', key: key('u') },
      { kind: 'record', key: key('v'), body: { class: 'crash' } },
      { kind: 'over', key: key('v') },
      { kind: 'start' },
    ]);
  });
});

describe('a drained agent', () => {
  test('gives offers back, also those that the coordinator refuses it for that', () => {
    expect(kinds(onOffer(ready(1), key('t'), 1, () => false))).toEqual(['return']);
    const slots = ready(1);
    onOffer(slots, key('t'), 1);
    const refusal = { code: RefusalCode.DRAINED, message: '' };
    expect(onDecision(slots, 0, key('t'), { refusal })).toEqual([{ kind: 'return', offer: 1 }]);
    expect(isQuiet(slots)).toBe(true);
  });

  test('asks what still runs after the grace to stop, once, and hands it back when it has', () => {
    const slots = running();
    expect(onGraceOver(slots)).toEqual([{ kind: 'stop', slot: 0, key: key('t') }]);
    expect(onGraceOver(slots)).toEqual([]);
    expect(isHeld(slots[0], key('t'))).toBe(false);
    // Its lease is still this agent's, until the end is told.
    expect(heldAttempts(slots)).toEqual([key('t')]);
    expect(onWorkerMessage(slots, 0, { key: key('t'), kind: 'stopped' })).toMatchObject([
      { kind: 'record', body: { kind: 'failed', class: 'drained' } },
      { kind: 'over' },
    ]);
    expect(isQuiet(slots)).toBe(true);
  });

  test('keeps what an attempt still says, and its success when it comes first', () => {
    const slots = running();
    onGraceOver(slots);
    expect(onWorkerMessage(slots, 0, { key: key('t'), kind: 'report', epoch: 1, metrics: {} })).toHaveLength(1);
    expect(onWorkerMessage(slots, 0, { key: key('t'), kind: 'done' })).toMatchObject([
      { kind: 'record', body: { kind: 'succeeded' } },
      { kind: 'over' },
    ]);
    expect(onWorkerMessage(slots, 0, { key: key('t'), kind: 'stopped' })).toEqual([]);
  });

  test('hands back what had to be killed to stop: that is no crash', () => {
    const slots = running();
    onGraceOver(slots);
    expect(onWorkerExit(slots, 0, 'was killed by SIGKILL')).toMatchObject([
      { kind: 'record', body: { class: 'drained' } },
      { kind: 'over' },
      { kind: 'start' },
    ]);
  });

  test('says nothing more of what is dismissed meanwhile', () => {
    const slots = running();
    onGraceOver(slots);
    expect(onDismissed(slots, key('t'))).toEqual([]);
    expect(heldAttempts(slots)).toEqual([]);
    expect(kinds(onWorkerMessage(slots, 0, { key: key('t'), kind: 'stopped' }))).toEqual(['over']);
  });
});

test('a shutdown hands back what runs, and what is claimed', () => {
  const slots = ready(2);
  onOffer(slots, key('t'), 1);
  onDecision(slots, 0, key('t'), { grant, mates: [] });
  onOffer(slots, key('u'), 2);
  expect(onShutdown(slots)).toMatchObject([
    { kind: 'record', body: { class: 'drained' } },
    { kind: 'return', offer: 2 },
  ]);
});
