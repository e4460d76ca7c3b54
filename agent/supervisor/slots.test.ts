import { describe, expect, test } from 'vitest';
import { Grant, RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { FromAttempt } from '../worker/ipc.ts';
import { LOG_HEAD_CHARACTERS, LOG_TAIL_CHARACTERS } from './attempt-log.ts';
import type { SlotEffect } from './slot-effects.ts';
import {
  areSlotsIdle,
  hasStoppedPrograms,
  heldAttempts,
  isHeld,
  newSlots,
  onDecision,
  onDismissed,
  onGraceExpired,
  onOffer,
  onPackages,
  onPreflightFailure,
  onShutdown,
  onStoppedByRule,
  onWorkerExit,
  onWorkerLog,
  onWorkerMessage,
  type Slot,
  wantedOffers,
} from './slots.ts';

const key = (trialId: string) => ({ sweepId: '1', trialId, attempt: 1 });
const grant = Grant.fromPartial({ trainer: 'noop' });
const NOW = 0;

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
  onDecision(slots, 0, key('t'), { grant, mates: [] }, NOW);
  onWorkerMessage(slots, 0, { kind: 'started', keys: [key('t')] });
  return slots;
}

const kinds = (effects: SlotEffect[] | 'retry') => (effects === 'retry' ? effects : effects.map(({ kind }) => kind));

test('an idle slot claims an offer; when the claim is granted, the offer is acknowledged and its attempt runs', () => {
  const slots = ready(2);
  expect(wantedOffers(slots, () => true)).toBe(2);
  expect(onOffer(slots, key('t'), 1)).toEqual([{ kind: 'claim', slot: 0, key: key('t') }]);
  expect(heldAttempts(slots)).toEqual([]);
  expect(kinds(onDecision(slots, 0, key('t'), { grant, mates: [] }, NOW))).toEqual(['acknowledge', 'run']);
  expect(heldAttempts(slots)).toEqual([key('t')]);
});

test('if an attempt is already claimed or running, a redelivered offer is acknowledged, and the attempt is not run again', () => {
  const slots = ready(2);
  onOffer(slots, key('t'), 1);
  expect(onOffer(slots, key('t'), 2)).toEqual([{ kind: 'acknowledge', offer: 2 }]);
  onDecision(slots, 0, key('t'), { grant, mates: [] }, NOW);
  expect(onOffer(slots, key('t'), 3)).toEqual([{ kind: 'acknowledge', offer: 3 }]);
});

test('after a rule has stopped an attempt, the agent still sends its log and files, but sends no reports of it and does not renew its lease', () => {
  const slots = running();
  expect(onStoppedByRule(slots, key('t'))).toEqual([{ kind: 'stop', slot: 0, key: key('t'), keepFiles: true }]);
  expect([onStoppedByRule(slots, key('t')), heldAttempts(slots), hasStoppedPrograms(slots)]).toEqual([[], [], true]);
  const artifact = { name: 'a', kind: 'file', epoch: 0, size: 1, sha256: '' } as const;
  expect(kinds(onWorkerLog(slots, 0, 'last words'))).toEqual(['record']);
  expect(kinds(onWorkerMessage(slots, 0, { key: key('t'), kind: 'report', epoch: 2, metrics: {} }))).toEqual([]);
  expect(kinds(onWorkerMessage(slots, 0, { key: key('t'), kind: 'artifact', artifact }))).toEqual(['record']);
  const ended = onWorkerMessage(slots, 0, { key: key('t'), kind: 'stopped' });
  expect(ended).toMatchObject([{ seq: 3, body: { kind: 'failed', class: 'drained' } }, { kind: 'finished' }]);
  expect([areSlotsIdle(slots), hasStoppedPrograms(slots)]).toEqual([true, false]);
});

test('if the coordinator dismisses a stopped attempt, nothing more is sent for the attempt', () => {
  const slots = running();
  onStoppedByRule(slots, key('t'));
  expect(onDismissed(slots, key('t'))).toEqual([]);
  expect(onWorkerLog(slots, 0, 'too late')).toEqual([]);
  expect(kinds(onWorkerMessage(slots, 0, { key: key('t'), kind: 'stopped' }))).toEqual(['finished']);
});

test('an offer is returned when no slot is free', () => {
  expect(kinds(onOffer(newSlots(1), key('t'), 1))).toEqual(['return']);
});

test('a rejected claim frees the slot and drops the offer; if the agent has no session, the claim is retried', () => {
  const slots = ready(1);
  onOffer(slots, key('t'), 1);
  expect(onDecision(slots, 0, key('t'), { refusal: { code: RefusalCode.NO_SESSION, message: '' } }, NOW)).toBe('retry');
  const refusal = { code: RefusalCode.LEASED, message: '' };
  expect(kinds(onDecision(slots, 0, key('t'), { refusal }, NOW))).toEqual(['acknowledge']);
  expect(wantedOffers(slots, () => true)).toBe(1);
});

test('records are numbered from 1 without gaps, and the last record reports the end of the attempt', () => {
  const slots = running();
  const effects = [
    ...onWorkerLog(slots, 0, 'hello'),
    ...onWorkerMessage(slots, 0, { key: key('t'), kind: 'report', epoch: 1, metrics: {} }),
    ...onWorkerMessage(slots, 0, { key: key('t'), kind: 'done' }),
    ...onWorkerLog(slots, 0, 'too late'),
  ];
  expect(effects.map((effect) => effect.kind === 'record' && effect.seq)).toEqual([1, 2, 3, false]);
  expect(effects.at(-1)).toEqual({ kind: 'finished', key: key('t') });
  expect(wantedOffers(slots, () => true)).toBe(1);
});

test('an unknown message from a worker of a newer version is ignored', () => {
  const slots = running();
  const unknown = JSON.parse('{"kind":"of a newer version","key":{"sweepId":"1","trialId":"t","attempt":1}}');
  expect(onWorkerMessage(slots, 0, unknown)).toEqual([]);
  expect(heldAttempts(slots)).toEqual([key('t')]);
});

test('output that a worker prints before it starts an attempt is held, and is added to the log when the attempt starts', () => {
  const slots = ready(1);
  onOffer(slots, key('t'), 1);
  onDecision(slots, 0, key('t'), { grant, mates: [] }, NOW);
  expect([...onWorkerLog(slots, 0, 'a'), ...onWorkerLog(slots, 0, 'b')]).toEqual([]);
  expect(onWorkerMessage(slots, 0, { kind: 'started', keys: [key('t')] })).toEqual([
    { kind: 'record', key: key('t'), seq: 1, body: { kind: 'log', text: 'ab' } },
  ]);
  expect(onWorkerLog(slots, 0, 'c')).toMatchObject([{ seq: 2, body: { text: 'c' } }]);
});

test('if a worker dies, its attempt ends as a crash and the worker is restarted', () => {
  const effects = onWorkerExit(running(), 0, 'was killed by SIGKILL');
  expect(effects).toMatchObject([
    { kind: 'record', body: { kind: 'failed', class: 'crash' } },
    { kind: 'finished', key: key('t') },
    { kind: 'restart' },
  ]);
});

test('if a worker that other slots used too dies, its attempt ends as drained, because the cause is not known', () => {
  const effects = onWorkerExit(running(), 0, 'was killed by SIGKILL', true);
  const message = 'the worker process, which also ran programs of other slots, was killed by SIGKILL';
  expect(effects).toMatchObject([
    { kind: 'record', body: { kind: 'failed', class: 'drained', message } },
    { kind: 'finished', key: key('t') },
    { kind: 'restart' },
  ]);
});

test('text that a worker sends for the log of an attempt is added to this log only', () => {
  const slots = running();
  const log = { kind: 'log', text: 'line\n' } as const;
  expect(onWorkerMessage(slots, 0, { key: key('t'), ...log })).toMatchObject([
    { kind: 'record', key: key('t'), body: log },
  ]);
  expect(onWorkerMessage(slots, 0, { key: key('other'), ...log })).toEqual([]);
});

test('if a worker dies while its slot claims an offer, the attempt starts when the next worker is ready', () => {
  const slots = ready(1);
  onOffer(slots, key('t'), 1);
  expect(kinds(onWorkerExit(slots, 0, 'exited with code 1'))).toEqual(['restart']);
  expect(wantedOffers(slots, () => true)).toBe(0);
  expect(kinds(onDecision(slots, 0, key('t'), { grant, mates: [] }, NOW))).toEqual(['acknowledge']);
  expect(kinds(onWorkerMessage(slots, 0, { kind: 'ready', backend: 'wasm', pack: 1 }))).toEqual(['run']);
});

test('a dismissed attempt is stopped and writes no more records, and its slot becomes idle', () => {
  const slots = running();
  expect(kinds(onDismissed(slots, key('t')))).toEqual(['stop']);
  expect(onWorkerMessage(slots, 0, { key: key('t'), kind: 'report', epoch: 1, metrics: {} })).toEqual([]);
  expect(wantedOffers(slots, () => true)).toBe(0);
  onWorkerMessage(slots, 0, { key: key('t'), kind: 'stopped' });
  expect(wantedOffers(slots, () => true)).toBe(1);
  expect(onDismissed(slots, key('t'))).toEqual([]);
});

test('the start of a long log is sent immediately; its end is sent when the attempt ends, after a note about the missing part', () => {
  const slots = running();
  const texts = (effects: SlotEffect[]) =>
    effects.flatMap((effect) => (effect.kind === 'record' && effect.body.kind === 'log' ? [effect.body.text] : []));
  const head = 'h'.repeat(LOG_HEAD_CHARACTERS);
  const tail = 't'.repeat(LOG_TAIL_CHARACTERS - 4);
  expect(texts(onWorkerLog(slots, 0, `${head}lost`))).toEqual([head]);
  for (let part = 0; part < 4; part++) expect(onWorkerLog(slots, 0, 'm'.repeat(500_000))).toEqual([]);
  onWorkerLog(slots, 0, `${tail}end!`);
  const end = onWorkerMessage(slots, 0, { key: key('t'), kind: 'done' });
  expect(texts(end).join('')).toBe(`\n[trawl] 2000004 characters of the log are missing here\n${tail}end!`);
  expect(kinds(end).slice(-2)).toEqual(['record', 'finished']);
});

test('a log within the limits is complete', () => {
  const slots = running();
  const text = 'x'.repeat(LOG_HEAD_CHARACTERS + LOG_TAIL_CHARACTERS);
  const effects = [...onWorkerLog(slots, 0, text), ...onWorkerExit(slots, 0, 'exited with code 1')];
  const logged = effects.flatMap((effect) =>
    effect.kind === 'record' && effect.body.kind === 'log' ? [effect.body.text] : [],
  );
  expect(logged.join('')).toBe(text);
});

describe('a pack', () => {
  function pack(): Slot[] {
    const slots = ready(1);
    onOffer(slots, key('t'), 1);
    const effects = onDecision(
      slots,
      0,
      key('t'),
      { grant, mates: ['u', 'v'].map((id) => ({ key: key(id), grant })) },
      NOW,
    );
    expect(effects).toEqual([
      { kind: 'acknowledge', offer: 1 },
      { kind: 'run', slot: 0, start: 1, granted: ['t', 'u', 'v'].map((id) => ({ key: key(id), grant })) },
    ]);
    onWorkerMessage(slots, 0, { kind: 'started', keys: ['t', 'u', 'v'].map(key) });
    return slots;
  }
  const send = (slots: Slot[], id: string, message: FromAttempt) =>
    onWorkerMessage(slots, 0, { key: key(id), ...message });

  test('a slot runs all attempts of a pack; a later offer of one of these attempts is acknowledged, but the attempt is not run again', () => {
    const slots = pack();
    expect(heldAttempts(slots)).toEqual(['t', 'u', 'v'].map(key));
    expect(slots.filter(({ attempts }) => attempts.length > 0)).toHaveLength(1);
    expect(onOffer(slots, key('v'), 2)).toEqual([{ kind: 'acknowledge', offer: 2 }]);
  });

  test('each attempt of a pack has its own records, and the slot is idle after the last attempt ends', () => {
    const slots = pack();
    const report = { kind: 'report', epoch: 1, metrics: {} } as const;
    expect(send(slots, 'u', report)).toMatchObject([{ key: key('u'), seq: 1 }]);
    expect(send(slots, 't', report)).toMatchObject([{ key: key('t'), seq: 1 }]);
    expect(send(slots, 'u', { kind: 'failed', class: 'nan', message: '' })).toMatchObject([
      { kind: 'record', key: key('u'), seq: 2 },
      { kind: 'finished', key: key('u') },
    ]);
    expect(heldAttempts(slots)).toEqual(['t', 'v'].map(key));
    send(slots, 't', { kind: 'done' });
    expect(wantedOffers(slots, () => true)).toBe(0);
    send(slots, 'v', { kind: 'done' });
    expect(wantedOffers(slots, () => true)).toBe(1);
  });

  test('a dismissed attempt of a pack is stopped, and the other attempts of the pack continue', () => {
    const slots = pack();
    expect(onDismissed(slots, key('u'))).toEqual([{ kind: 'stop', slot: 0, key: key('u') }]);
    expect(heldAttempts(slots)).toEqual(['t', 'v'].map(key));
    expect(send(slots, 'u', { kind: 'done' })).toEqual([]);
    expect(send(slots, 'u', { kind: 'stopped' })).toEqual([{ kind: 'finished', key: key('u') }]);
    expect(send(slots, 't', { kind: 'report', epoch: 1, metrics: {} })).toHaveLength(1);
  });

  test('the output of a worker is written to the log of each attempt in the pack', () => {
    expect(onWorkerLog(pack(), 0, 'hello')).toMatchObject(['t', 'u', 'v'].map((id) => ({ key: key(id), seq: 1 })));
  });

  test('each attempt of a pack is handed back separately', () => {
    const slots = pack();
    send(slots, 't', { kind: 'done' });
    expect(onGraceExpired(slots)).toEqual(['u', 'v'].map((id) => ({ kind: 'stop', slot: 0, key: key(id) })));
    expect(send(slots, 'u', { kind: 'stopped' })).toMatchObject([{ key: key('u'), body: { class: 'drained' } }, {}]);
    expect(areSlotsIdle(slots)).toBe(false);
    expect(send(slots, 'v', { kind: 'stopped' })).toMatchObject([{ key: key('v'), body: { class: 'drained' } }, {}]);
    expect(areSlotsIdle(slots)).toBe(true);
  });

  test('the death of a worker ends only those attempts of the pack that still run', () => {
    const slots = pack();
    send(slots, 't', { kind: 'done' });
    onDismissed(slots, key('u'));
    expect(onWorkerExit(slots, 0, 'was killed by SIGKILL')).toMatchObject([
      { kind: 'finished', key: key('u') },
      { kind: 'record', key: key('v'), body: { class: 'crash' } },
      { kind: 'finished', key: key('v') },
      { kind: 'restart' },
    ]);
  });
});

describe('offers and attempts of a drained agent', () => {
  test('a drained agent returns offers, including offers that the coordinator rejects because of the drain', () => {
    expect(kinds(onOffer(ready(1), key('t'), 1, () => false))).toEqual(['return']);
    const slots = ready(1);
    onOffer(slots, key('t'), 1);
    const refusal = { code: RefusalCode.DRAINED, message: '' };
    expect(onDecision(slots, 0, key('t'), { refusal }, NOW)).toEqual([{ kind: 'return', offer: 1 }]);
    expect(areSlotsIdle(slots)).toBe(true);
  });

  test('after the grace period, a drained agent stops each attempt once, and hands the attempt back after it has stopped', () => {
    const slots = running();
    expect(onGraceExpired(slots)).toEqual([{ kind: 'stop', slot: 0, key: key('t') }]);
    expect(onGraceExpired(slots)).toEqual([]);
    expect(isHeld(slots[0], 1, key('t'))).toBe(false);
    expect(heldAttempts(slots)).toEqual([key('t')]);
    expect(onWorkerMessage(slots, 0, { key: key('t'), kind: 'stopped' })).toMatchObject([
      { kind: 'record', body: { kind: 'failed', class: 'drained' } },
      { kind: 'finished' },
    ]);
    expect(areSlotsIdle(slots)).toBe(true);
  });

  test('after the grace period, an attempt that has not stopped yet can still send reports and succeed', () => {
    const slots = running();
    onGraceExpired(slots);
    expect(onWorkerMessage(slots, 0, { key: key('t'), kind: 'report', epoch: 1, metrics: {} })).toHaveLength(1);
    expect(onWorkerMessage(slots, 0, { key: key('t'), kind: 'done' })).toMatchObject([
      { kind: 'record', body: { kind: 'succeeded' } },
      { kind: 'finished' },
    ]);
    expect(onWorkerMessage(slots, 0, { key: key('t'), kind: 'stopped' })).toEqual([]);
  });

  test('a drained agent hands back an attempt that had to be killed, and records no crash', () => {
    const slots = running();
    onGraceExpired(slots);
    expect(onWorkerExit(slots, 0, 'was killed by SIGKILL')).toMatchObject([
      { kind: 'record', body: { class: 'drained' } },
      { kind: 'finished' },
      { kind: 'restart' },
    ]);
  });

  test('a drained agent writes no more records of an attempt that is dismissed while the attempt is being stopped', () => {
    const slots = running();
    onGraceExpired(slots);
    expect(onDismissed(slots, key('t'))).toEqual([]);
    expect(heldAttempts(slots)).toEqual([]);
    expect(kinds(onWorkerMessage(slots, 0, { key: key('t'), kind: 'stopped' }))).toEqual(['finished']);
  });
});

test('a shutdown hands back running attempts and returns claimed offers', () => {
  const slots = ready(2);
  onOffer(slots, key('t'), 1);
  onDecision(slots, 0, key('t'), { grant, mates: [] }, NOW);
  onOffer(slots, key('u'), 2);
  expect(onShutdown(slots)).toMatchObject([
    { kind: 'record', body: { class: 'drained' } },
    { kind: 'return', offer: 2 },
  ]);
});

test('if an attempt cannot be prepared, it fails in preflight, and the other attempts of its pack continue', () => {
  const slots = ready(1);
  onOffer(slots, key('t'), 1);
  onDecision(slots, 0, key('t'), { grant, mates: [{ key: key('u'), grant }] }, NOW);
  expect(onPreflightFailure(slots, 0, 1, key('t'), 'unreadable')).toMatchObject([
    { kind: 'record', key: key('t'), body: { kind: 'failed', class: 'preflight', message: 'unreadable' } },
    { kind: 'finished', key: key('t') },
  ]);
  expect(heldAttempts(slots)).toEqual([key('u')]);
  onDismissed(slots, key('u'));
  expect(onPreflightFailure(slots, 0, 1, key('u'), 'unreadable')).toEqual([]);
});

test('the start of a program is recorded immediately; a second record follows when its Python packages have been listed', () => {
  const slots = running();
  const interpreter = { path: '/usr/bin/python3', variables: {} };
  const program = { command: ['python3', 'a.py'], interpreter: '/usr/bin/python3', python: '', packages: '' };
  const message = { key: key('t'), kind: 'program', command: ['python3', 'a.py'], interpreter } as const;
  expect(onWorkerMessage(slots, 0, message)).toEqual([
    { kind: 'record', key: key('t'), seq: 1, body: { kind: 'program', program } },
    { kind: 'list packages', key: key('t'), program, interpreter },
  ]);
  const listed = { ...program, python: '3.12.4', packages: 'a==1' };
  expect(onPackages(slots, key('t'), listed)).toMatchObject([{ kind: 'record', seq: 2, body: { program: listed } }]);
  expect(onWorkerMessage(slots, 0, { ...message, command: ['sh'], interpreter: undefined })).toMatchObject([
    { kind: 'record', seq: 3, body: { program: { command: ['sh'], interpreter: '' } } },
  ]);
  onWorkerMessage(slots, 0, { key: key('t'), kind: 'done' });
  expect(onPackages(slots, key('t'), listed)).toEqual([]);
});
