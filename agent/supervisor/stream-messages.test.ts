import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  type OpenResponse,
  type Record as RecordMessage,
  ReportRequest,
  type RequestBatch,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import { StreamMessages } from './stream-messages.ts';

let sent: ReportRequest['message'][];
let messages: StreamMessages;

beforeEach(() => {
  sent = [];
  messages = new StreamMessages({
    write: ({ message }: ReportRequest) => {
      sent.push(message);
      return true;
    },
  });
  messages.batches = true;
});
afterEach(() => {
  vi.useRealTimers();
});

const key = { sweepId: '1', trialId: 't', attempt: 1 };
const record = (seq: number, body: RecordMessage['body']): RecordMessage => ({ key, seq, atMs: 1, body });
const epoch = (seq: number, metrics: Record<string, number> = { loss: seq }) =>
  record(seq, { $case: 'epoch', epoch: { epoch: seq, metrics } });
const log = (seq: number, text = 'text') => record(seq, { $case: 'log', log: { text } });
const program = (seq: number, ...command: string[]) =>
  record(seq, { $case: 'program', program: { command, interpreter: '', python: '', packages: '', attempt: 0 } });
const write = (one: RecordMessage) => messages.write({ message: { $case: 'record', record: one } });
const seqs = (message: ReportRequest['message']) =>
  message?.$case === 'record' ? [message.record.seq] : batchOf(message).records.map(({ seq }) => seq);
const CLAIM = { key, slot: 0, pack: 0 };

function batchOf(message: ReportRequest['message']): RequestBatch {
  if (message?.$case !== 'batch') throw new Error(`expected a batch, got ${message?.$case}`);
  return message.batch;
}

test('records share a message, a very large record is sent alone, and the order of all records is kept', async () => {
  const large = 'x'.repeat(300_000);
  for (const one of [program(1, 'echo'), epoch(2), log(3, large), log(4), epoch(5)]) write(one);
  expect(sent.map((message) => [message?.$case, seqs(message)])).toEqual([
    ['batch', [1, 2]],
    ['record', [3]],
  ]);
  await turn();
  expect(sent.map(seqs)).toEqual([[1, 2], [3], [4, 5]]);
});

test('records are sent one by one to a coordinator that accepts no batches', () => {
  messages.batches = false;
  for (const one of [epoch(1), epoch(2)]) write(one);
  expect(sent.map((message) => message?.$case)).toEqual(['record', 'record']);
});

test('no batch is larger than a message may be, with texts of any kind', () => {
  const texts = ['a', '\u00e9', '\u20ac', '\u{1f600}'].map((character) => character.repeat(20_000));
  const failed = (seq: number, message: string) =>
    record(seq, {
      $case: 'ended',
      ended: { outcome: 'ATTEMPT_OUTCOME_FAILED', failure: { class: 'FAILURE_CLASS_CRASH', message } },
    });
  let seq = 1;
  for (let round = 0; round < 20; round++) {
    for (const text of texts) for (const make of [log, program, failed]) write(make(seq++, text));
  }
  messages.flush();
  expect(sent.flatMap(seqs)).toEqual(Array.from({ length: 240 }, (_, at) => at + 1));
  const sizes = sent.map((message) => ReportRequest.encode({ message }).finish().length);
  expect(Math.max(...sizes)).toBeLessThan(2 * 1024 * 1024);
  expect(sent.length).toBeLessThan(40);
});

test('a batch is sent before it becomes larger than the maximum size of a message', () => {
  const metrics = Object.fromEntries(Array.from({ length: 256 }, (_, at) => [`${at}`.padStart(390, 'm'), at]));
  for (let seq = 1; seq <= 12; seq++) write(epoch(seq, metrics));
  expect(sent.map(seqs)).toEqual([
    [1, 2, 3],
    [4, 5, 6],
    [7, 8, 9],
    [10, 11, 12],
  ]);
});

test('with a gathering time, a report after a pause is sent at once, and reports that follow share a message', () => {
  vi.useFakeTimers();
  messages.gatherMs = 1_000;
  write(epoch(1));
  vi.advanceTimersByTime(0);
  expect(sent.map(seqs)).toEqual([[1]]);
  for (let seq = 2; seq <= 5; seq++) {
    write(seq % 2 === 0 ? epoch(seq) : log(seq));
    vi.advanceTimersByTime(200);
  }
  expect(sent).toHaveLength(1);
  vi.advanceTimersByTime(200);
  expect(sent.map(seqs)).toEqual([[1], [2, 3, 4, 5]]);
  vi.advanceTimersByTime(5_000);
  write(epoch(6));
  vi.advanceTimersByTime(0);
  expect(sent.map(seqs)).toEqual([[1], [2, 3, 4, 5], [6]]);
});

test('artifacts, ends and claims are not delayed, and the gathered records are sent before them in the same message', () => {
  vi.useFakeTimers();
  messages.gatherMs = 1_000;
  const ended = { outcome: 'ATTEMPT_OUTCOME_SUCCEEDED', failure: undefined } as const;
  const artifact = {
    name: 'a',
    kind: 'ARTIFACT_KIND_FILE',
    epoch: 0,
    size: 1,
    sha256: '',
    attempt: 0,
    atMs: 0,
  } as const;
  write(epoch(1));
  vi.advanceTimersByTime(0);
  for (const body of [
    { $case: 'ended', ended },
    { $case: 'artifact', artifact },
  ] as const) {
    write(epoch(2));
    write(program(3, 'echo'));
    write(record(4, body));
    vi.advanceTimersByTime(0);
    expect(seqs(sent.at(-1))).toEqual([2, 3, 4]);
  }
  write(epoch(5));
  messages.claim([CLAIM], 10_000, () => {});
  expect(sent.slice(3).map(seqs)).toEqual([[5]]);
});

test('many gathered records are sent early, and a closed stream sends nothing and leaves no timer', () => {
  vi.useFakeTimers();
  messages.gatherMs = 1_000;
  write(epoch(1));
  vi.advanceTimersByTime(0);
  for (let seq = 2; seq <= 600; seq++) write(epoch(seq));
  expect(sent.map((message) => seqs(message).length)).toEqual([1, 256, 256]);
  messages.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(5_000);
  expect(sent).toHaveLength(3);
});

test('a claim is sent together with the records that precede it, and gets the answer that has its id', () => {
  write(epoch(1));
  const answers: OpenResponse[] = [];
  for (const claims of [[CLAIM], [CLAIM, CLAIM]])
    messages.claim(claims, 1_000, (_, response) => answers.push(response));
  expect(sent.map(seqs)).toEqual([[1], []]);
  const [first, second] = sent.map((message) => batchOf(message).claimRequests[0]);
  const decision = { key, answer: undefined, mates: [] };
  messages.answered({ id: second?.id ?? 0, decisions: [decision, decision] });
  messages.answered({ id: first?.id ?? 0, decisions: [decision] });
  messages.answered({ id: first?.id ?? 0, decisions: [] });
  expect(answers.map(({ decisions }) => decisions.length)).toEqual([2, 1]);
});

test('claims that are unanswered when the stream ends fail, and so do later claims', async () => {
  const onAnswer = vi.fn();
  messages.claim([CLAIM], 1_000, onAnswer);
  messages.close();
  messages.claim([CLAIM], 1_000, onAnswer);
  await turn();
  expect(onAnswer.mock.calls.map(([error]) => (error as Error).message)).toEqual([
    'the stream to the coordinator ended',
    'the stream to the coordinator is closed',
  ]);
  expect(sent).toHaveLength(1);
});

test('a claim fails if the coordinator does not answer in time', () => {
  vi.useFakeTimers();
  const onAnswer = vi.fn();
  messages.claim([CLAIM], 1_000, onAnswer);
  vi.advanceTimersByTime(999);
  expect(onAnswer).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(onAnswer).toHaveBeenCalledOnce();
});
