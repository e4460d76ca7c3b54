import { pino } from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import type { Assignment, FromAttempt, FromWorker } from '../worker/ipc.ts';
import { sharePrograms } from './program-workers.ts';
import type { WorkerEvents } from './worker-process.ts';

interface FakeProcess {
  readonly slot: number;
  readonly events: WorkerEvents;
  /** The orders to the process: `t` means that it must run the trial t, and `-t` that it must stop this trial. */
  readonly received: string[];
  pings: number;
  isKilled: boolean;
}

const keyOf = (trialId: string): AttemptKey => ({ sweepId: '1', trialId, attempt: 1 });

/** Slots that share two processes, whose messages the test sends. */
function sharedSlots(count: number) {
  const processes: FakeProcess[] = [];
  const broken = { isMissing: false };
  const start = (slot: number, events: WorkerEvents) => {
    if (broken.isMissing) throw new Error('the worker program is missing');
    const process: FakeProcess = { slot, events, received: [], pings: 0, isKilled: false };
    processes.push(process);
    return {
      pid: processes.length,
      run: (assignments: readonly Assignment[]) => {
        process.received.push(...assignments.map(({ key }) => key.trialId));
      },
      stop: ({ trialId }: AttemptKey) => {
        process.received.push(`-${trialId}`);
      },
      ping: () => {
        process.pings += 1;
      },
      kill: () => {
        process.isKilled = true;
      },
    };
  };
  const startSlot = sharePrograms(start, 2, pino({ level: 'silent' }));
  const begin = (slot: number) => {
    const events: string[] = [];
    const onMessage = (message: FromWorker) => {
      events.push('key' in message ? `${message.kind} ${message.key.trialId}` : message.kind);
    };
    const worker = startSlot(slot, {
      onMessage,
      onLog: (text) => events.push(`log: ${text}`),
      onExit: (how, isShared) => events.push(`exit: ${how}${isShared === true ? ' (shared)' : ''}`),
    });
    const run = (trainer: string, trialId: string) => worker.run([{ trainer, key: keyOf(trialId) } as Assignment]);
    return { worker, events, run };
  };
  const confirmStart = (process: FakeProcess | undefined, ...trialIds: string[]) =>
    process?.events.onMessage({ kind: 'started', keys: trialIds.map(keyOf) });
  const answer = (process: FakeProcess | undefined, trialId: string, message: FromAttempt) =>
    process?.events.onMessage({ key: keyOf(trialId), ...message });
  return {
    processes,
    broken,
    begin,
    confirmStart,
    answer,
    slots: Array.from({ length: count }, (_, slot) => begin(slot)),
  };
}

const READY: FromWorker = { kind: 'ready', backend: 'wasm', pack: 1 };
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

test('slots share two processes, which tell each slot about its own attempts only', async () => {
  const { processes, slots, begin, confirmStart, answer } = sharedSlots(4);
  expect(processes.map(({ slot }) => slot)).toEqual([0, 1]);
  for (const { events } of processes) events.onMessage(READY);
  for (const [at, { run }] of slots.entries()) run('command', `t${at}`);
  expect(processes.map(({ received }) => received)).toEqual([
    ['t0', 't2'],
    ['t1', 't3'],
  ]);
  confirmStart(processes[0], 't2');
  answer(processes[0], 't2', { kind: 'log', text: 'x' });
  answer(processes[0], 't0', { kind: 'done' });
  answer(processes[1], 't3', { kind: 'failed', class: 'crash', message: '' });
  slots[1]?.worker.stop(keyOf('t1'), false);
  answer(processes[1], 't1', { kind: 'stopped' });
  expect(processes[1]?.received).toEqual(['t1', 't3', '-t1']);
  expect(slots.map(({ events }) => events)).toEqual([
    ['ready', 'done t0'],
    ['ready', 'stopped t1'],
    ['ready', 'started', 'log t2'],
    ['ready', 'failed t3'],
  ]);
  const late = begin(2);
  await nextTurn();
  expect(late.events).toEqual(['ready']);
});

test('after a shared process has died, no attempt that it ran is blamed, and each slot gets its own process', () => {
  const { processes, slots, begin, confirmStart, answer } = sharedSlots(4);
  for (const { events } of processes) events.onMessage(READY);
  for (const at of [0, 1, 2]) slots[at]?.run('command', `t${at}`);
  confirmStart(processes[0], 't0', 't2');
  processes[0]?.events.onExit('was killed by SIGKILL');
  const died = ['started', 'exit: was killed by SIGKILL (shared)'];
  expect(slots.map(({ events }) => events.slice(1))).toEqual([died, [], died, []]);

  const [first, third] = [begin(0), begin(2)];
  expect(processes.map(({ slot }) => slot)).toEqual([0, 1, 0, 2]);
  first.run('command', 'a');
  third.run('command', 'b');
  confirmStart(processes[2], 'a');
  processes[2]?.events.onExit('exited with code 1');
  expect([first.events, third.events]).toEqual([['started', 'exit: exited with code 1'], []]);

  // The other shared process ends when its last attempt has ended.
  slots[3]?.run('command', 't3');
  expect(processes.at(-1)).toMatchObject({ slot: 3, received: ['t3'] });
  expect(processes[1]?.isKilled).toBe(false);
  answer(processes[1], 't1', { kind: 'done' });
  expect(processes[1]?.isKilled).toBe(true);
  expect(slots[1]?.events).toEqual(['ready', 'done t1']);
});

test('a slot trains in a process of its own, which survives the process for programs', () => {
  const { processes, slots, answer } = sharedSlots(3);
  for (const { events } of processes) events.onMessage(READY);
  slots[0]?.run('autoencoder', 'training');
  slots[2]?.run('command', 'program');
  const trainer = processes[2];
  expect(trainer).toMatchObject({ slot: 0, received: ['training'] });
  trainer?.events.onMessage(READY);
  processes[0]?.events.onExit('was killed by SIGKILL');
  expect(slots[2]?.events).toEqual(['ready', 'exit: was killed by SIGKILL']);
  slots[0]?.worker.stop(keyOf('training'), false);
  expect(trainer?.received).toEqual(['training', '-training']);
  answer(trainer, 'training', { kind: 'stopped' });
  expect(slots[0]?.events).toEqual(['ready', 'stopped training']);

  // The death of an idle process has no effect. A process that trains ends its attempts.
  trainer?.events.onExit('was killed by SIGKILL');
  slots[0]?.run('noop', 'next');
  expect(processes.at(-1)).toMatchObject({ slot: 0, received: ['next'] });
  processes.at(-1)?.events.onExit('exited with code 1');
  expect(slots[0]?.events).toEqual(['ready', 'stopped training', 'exit: exited with code 1']);
});

test('a process that cannot stop a program is replaced, and ends after its other attempts', () => {
  const { processes, slots, begin, answer } = sharedSlots(4);
  for (const { events } of processes) events.onMessage(READY);
  slots[0]?.run('command', 'hanging');
  slots[2]?.run('command', 'healthy');
  slots[0]?.worker.stop(keyOf('hanging'), false);
  processes[0]?.events.onStopOverdue?.(keyOf('hanging'));
  expect(slots[0]?.events).toEqual(['ready', 'exit: did not stop an attempt in time']);
  begin(0).run('command', 'next');
  expect(processes[2]).toMatchObject({ slot: 0, received: ['next'] });
  slots[2]?.worker.stop(keyOf('healthy'), true);
  expect(processes[0]?.received).toEqual(['hanging', 'healthy', '-hanging', '-healthy']);
  expect(processes[0]?.isKilled).toBe(false);
  answer(processes[0], 'hanging', { kind: 'stopped' });
  answer(processes[0], 'healthy', { kind: 'stopped' });
  expect(processes[0]?.isKilled).toBe(true);
  expect(slots[2]?.events).toEqual(['ready', 'stopped healthy']);
  slots[2]?.run('command', 'last');
  expect(processes[2]?.received).toEqual(['next', 'last']);
});

test('a slot stays with a process that is replaced before it is ready if the process already has its attempt', () => {
  const { processes, slots, confirmStart, answer } = sharedSlots(4);
  for (const { events } of processes) events.onMessage(READY);
  slots[0]?.run('command', 'hanging');
  slots[0]?.worker.stop(keyOf('hanging'), false);
  processes[0]?.events.onStopOverdue?.(keyOf('hanging'));
  slots[2]?.run('command', 'b');
  slots[1]?.run('command', 'c');
  confirmStart(processes[1], 'c');
  processes[1]?.events.onExit('was killed by SIGKILL');
  slots[2]?.worker.stop(keyOf('b'), false);
  expect(processes[2]?.received).toEqual(['b', '-b']);
  answer(processes[2], 'b', { kind: 'stopped' });
  expect(slots[2]?.events).toEqual(['ready', 'stopped b']);
  expect(processes[2]?.isKilled).toBe(true);
});

test('processes that are killed because the agent stops do not start further processes', () => {
  const { processes, slots, confirmStart } = sharedSlots(2);
  processes[0]?.events.onMessage(READY);
  slots[0]?.run('command', 'a');
  confirmStart(processes[0], 'a');
  for (const { worker } of slots) worker.kill();
  processes[0]?.events.onExit('was killed by SIGKILL');
  expect(processes).toHaveLength(2);
});

test.each<FromAttempt>([
  { kind: 'done' },
  { kind: 'failed', class: 'crash', message: '' },
  { kind: 'failed', class: 'preflight', message: '' },
])('if an attempt ends just before its stop, the slot is notified of both ($kind, $class)', (end) => {
  const { processes, slots, answer } = sharedSlots(3);
  for (const { events } of processes) events.onMessage(READY);
  slots[0]?.run('command', 'a');
  slots[0]?.worker.stop(keyOf('a'), false);
  answer(processes[0], 'a', end);
  answer(processes[0], 'a', { kind: 'stopped' });
  answer(processes[0], 'a', { kind: 'stopped' });
  expect(slots[0]?.events).toEqual(['ready', `${end.kind} a`, 'stopped a']);
});

test('a process that is replaced because of an overdue stop still confirms the stop of an attempt that ends first', () => {
  const { processes, slots, answer } = sharedSlots(3);
  for (const { events } of processes) events.onMessage(READY);
  slots[0]?.run('command', 'hanging');
  slots[2]?.run('command', 'a');
  slots[0]?.worker.stop(keyOf('hanging'), false);
  slots[2]?.worker.stop(keyOf('a'), false);
  processes[0]?.events.onStopOverdue?.(keyOf('hanging'));
  answer(processes[0], 'a', { kind: 'done' });
  expect(processes[0]?.isKilled).toBe(false);
  answer(processes[0], 'a', { kind: 'stopped' });
  expect(processes[0]?.isKilled).toBe(true);
  expect(slots[2]?.events).toEqual(['ready', 'done a', 'stopped a']);
});

test('attempts that a dead process has not started neither end sharing nor share the blame', () => {
  const { processes, slots, begin, confirmStart } = sharedSlots(4);
  for (const { events } of processes) events.onMessage(READY);
  for (const at of [0, 2]) slots[at]?.run('command', `t${at}`);
  processes[0]?.events.onExit('exited with code 1');
  expect([0, 2].map((at) => slots[at]?.events.at(-1))).toEqual(Array(2).fill('exit: exited with code 1'));
  const [first, third] = [begin(0), begin(2)];
  expect(processes.map(({ slot }) => slot)).toEqual([0, 1, 0]);
  first.run('command', 'a');
  third.run('command', 'b');
  confirmStart(processes[2], 'a');
  processes[2]?.events.onExit('was killed by SIGKILL');
  expect(first.events.at(-1)).toBe('exit: was killed by SIGKILL');
});

test('a healthy attempt is not blamed if its process dies after a program could not be stopped', () => {
  const { processes, slots, confirmStart } = sharedSlots(3);
  for (const { events } of processes) events.onMessage(READY);
  slots[0]?.run('command', 'hanging');
  slots[2]?.run('command', 'healthy');
  confirmStart(processes[0], 'hanging', 'healthy');
  slots[0]?.worker.stop(keyOf('hanging'), false);
  processes[0]?.events.onStopOverdue?.(keyOf('hanging'));
  processes[0]?.events.onExit('was killed by SIGKILL');
  expect(slots[2]?.events.at(-1)).toBe('exit: was killed by SIGKILL (shared)');
});

test('a process that answers no pings is killed if it has attempts besides the one that may be the cause', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const { processes, slots, confirmStart } = sharedSlots(4);
  for (const { events } of processes) events.onMessage(READY);
  const [hanging, healthy] = processes;
  for (const at of [0, 1, 2, 3]) slots[at]?.run('command', `t${at}`);
  confirmStart(hanging, 't0', 't2');
  for (let second = 0; second < 200; second++) {
    vi.advanceTimersByTime(1_000);
    healthy?.events.onMessage({ kind: 'pong' });
  }
  expect([hanging?.isKilled, healthy?.isKilled]).toEqual([true, false]);
  hanging?.events.onExit('was killed by SIGKILL');
  expect(slots[2]?.events.at(-1)).toBe('exit: did not respond and was killed (shared)');
  expect(healthy?.pings).toBeGreaterThan(6);
});

test('a process that hangs with a single attempt is killed only when the attempt is stopped', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const { processes, slots, confirmStart } = sharedSlots(4);
  for (const { events } of processes) events.onMessage(READY);
  slots[0]?.run('command', 'hanging');
  confirmStart(processes[0], 'hanging');
  vi.advanceTimersByTime(200_000);
  expect(processes[0]?.isKilled).toBe(false);
  // A free slot hands its next attempt to the same process.
  slots[2]?.run('command', 'waiting');
  vi.advanceTimersByTime(200_000);
  expect(processes[0]?.isKilled).toBe(true);
  processes[0]?.events.onExit('was killed by SIGKILL');
  expect(slots[0]?.events.at(-1)).toBe('exit: did not respond and was killed');
});

test('a process whose answers wait behind many reports is not killed', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const { processes, slots, confirmStart, answer } = sharedSlots(4);
  for (const { events } of processes) events.onMessage(READY);
  for (const at of [0, 2]) slots[at]?.run('command', `t${at}`);
  confirmStart(processes[0], 't0', 't2');
  for (let second = 0; second < 200; second++) {
    vi.advanceTimersByTime(1_000);
    answer(processes[0], 't0', { kind: 'report', epoch: second, metrics: {} });
  }
  expect(processes[0]?.isKilled).toBe(false);
});

test('a process that hangs after an overdue stop is killed although it has only one attempt left', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const { processes, slots, confirmStart } = sharedSlots(4);
  for (const { events } of processes) events.onMessage(READY);
  slots[0]?.run('command', 'hanging');
  slots[2]?.run('command', 'other');
  confirmStart(processes[0], 'hanging', 'other');
  slots[0]?.worker.stop(keyOf('hanging'), false);
  processes[0]?.events.onStopOverdue?.(keyOf('hanging'));
  vi.advanceTimersByTime(200_000);
  expect(processes[0]?.isKilled).toBe(true);
});

test('slots continue to share after a process with a program that could not be stopped was killed without attempts', () => {
  const { processes, slots, begin, confirmStart, answer } = sharedSlots(4);
  for (const { events } of processes) events.onMessage(READY);
  slots[0]?.run('command', 'hanging');
  slots[2]?.run('command', 'other');
  confirmStart(processes[0], 'hanging', 'other');
  slots[0]?.worker.stop(keyOf('hanging'), false);
  processes[0]?.events.onStopOverdue?.(keyOf('hanging'));
  answer(processes[0], 'other', { kind: 'done' });
  expect(processes[0]?.isKilled).toBe(true);
  processes[0]?.events.onExit('was killed by SIGKILL');
  begin(0);
  slots[2]?.run('command', 'next');
  expect(processes.map(({ slot }) => slot)).toEqual([0, 1, 0]);
});

test('a program that was stopped late does not share the blame for a later death of its process', () => {
  const { processes, slots, confirmStart, answer } = sharedSlots(3);
  for (const { events } of processes) events.onMessage(READY);
  slots[0]?.run('command', 'slow');
  slots[2]?.run('command', 'other');
  confirmStart(processes[0], 'slow', 'other');
  slots[0]?.worker.stop(keyOf('slow'), false);
  processes[0]?.events.onStopOverdue?.(keyOf('slow'));
  answer(processes[0], 'slow', { kind: 'stopped' });
  processes[0]?.events.onExit('was killed by SIGKILL');
  expect(slots[2]?.events.at(-1)).toBe('exit: was killed by SIGKILL');
});

test('if a training process dies after an end that precedes its stop, the slot exits', () => {
  const { processes, slots, answer } = sharedSlots(3);
  for (const { events } of processes) events.onMessage(READY);
  slots[0]?.run('autoencoder', 'a');
  slots[0]?.worker.stop(keyOf('a'), false);
  answer(processes[2], 'a', { kind: 'done' });
  processes[2]?.events.onExit('was killed by SIGKILL');
  expect(slots[0]?.events.at(-1)).toBe('exit: was killed by SIGKILL');
});

test('a slot that waits for a shared process gets its own process if sharing ends in the meantime', () => {
  const { processes, slots, confirmStart } = sharedSlots(4);
  processes[0]?.events.onMessage(READY);
  slots[0]?.run('command', 'a');
  confirmStart(processes[0], 'a');
  processes[0]?.events.onExit('was killed by SIGKILL');
  expect(processes.slice(2).map(({ slot }) => slot)).toEqual([1, 3]);
  expect(processes[1]?.isKilled).toBe(true);
  processes[1]?.events.onMessage(READY);
  processes[1]?.events.onExit('was killed by SIGKILL');
  processes[3]?.events.onMessage(READY);
  expect([slots[1]?.events, slots[3]?.events]).toEqual([[], ['ready']]);
});

test('a slot whose process cannot be started exits, so that the start is repeated', async () => {
  const { processes, slots, broken, begin } = sharedSlots(2);
  processes[0]?.events.onMessage(READY);
  processes[0]?.events.onExit('exited with code 1');
  broken.isMissing = true;
  expect(() => begin(0)).toThrow('missing');
  slots[1]?.run('noop', 'training');
  await nextTurn();
  expect(slots[1]?.events).toEqual(['exit: could not be started: the worker program is missing']);
});
