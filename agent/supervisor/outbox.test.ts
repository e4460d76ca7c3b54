import { expect, test } from 'vitest';
import { Record as RecordMessage, type ReportRequest } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { Outbox } from './outbox.ts';

const record = (trialId: string, seq: number, kind: 'log' | 'artifact', sha256?: string): RecordMessage =>
  RecordMessage.fromPartial({
    key: { sweepId: '1', trialId, attempt: 1 },
    seq,
    body:
      kind === 'log'
        ? { $case: 'log', log: { text: 'x' } }
        : { $case: 'artifact', artifact: { name: `${seq}`, sha256: sha256 ?? `${seq}` } },
  });

function outbox() {
  const sent: string[] = [];
  const uploads: ((isWanted: boolean) => void)[] = [];
  const write = ({ message }: ReportRequest) => {
    if (message?.$case === 'record') sent.push(`${message.record.key?.trialId}${message.record.seq}`);
    return true;
  };
  const box = new Outbox(
    { write },
    {
      upload: (record) => new Promise((resolve) => uploads.push((isWanted) => resolve(isWanted ? record : undefined))),
      onError: (error) => expect.fail(`${error}`),
    },
  );
  return { box, sent, uploads };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('the record of an artifact and the later records of its attempt are sent in order, after the upload; records of other attempts do not wait', async () => {
  const { box, sent, uploads } = outbox();
  box.add(record('a', 1, 'log'));
  box.add(record('a', 2, 'artifact'));
  box.add(record('a', 3, 'log'));
  box.add(record('a', 4, 'artifact'));
  box.add(record('a', 5, 'log'));
  box.add(record('b', 1, 'log'));
  expect(sent).toEqual(['a1', 'b1']);
  expect(uploads).toHaveLength(2);
  uploads[1]?.(true);
  await settled();
  expect(sent).toEqual(['a1', 'b1']);
  uploads[0]?.(true);
  await settled();
  expect(sent).toEqual(['a1', 'b1', 'a2', 'a3', 'a4', 'a5']);
});

test('an attempt has up to 8 concurrent uploads; its records are sent in order, even if the uploads end in another order', async () => {
  const { box, sent, uploads } = outbox();
  for (let seq = 1; seq <= 3_000; seq++) box.add(record('a', seq, seq % 3 === 0 ? 'log' : 'artifact'));
  expect(uploads).toHaveLength(8);
  for (let done = 0; done < 2_000; done++) {
    // In every fifth round, the oldest running upload ends. In the other rounds, the newest running upload ends.
    const [resolve] = uploads.splice(done % 5 === 0 ? 0 : uploads.length - 1, 1);
    resolve?.(true);
    await settled();
    expect(uploads.length).toBe(Math.min(8, 1_999 - done));
  }
  expect(sent).toEqual(Array.from({ length: 3_000 }, (_, at) => `a${at + 1}`));
});

test('up to 12 uploads run at the same time; beyond this limit, each attempt without a running upload can begin one', () => {
  const { box, uploads } = outbox();
  for (let trial = 0; trial < 20; trial++) {
    for (let seq = 1; seq <= 9; seq++) box.add(record(`${trial}`, seq, 'artifact'));
  }
  expect(uploads).toHaveLength(12 + 18);
});

test('an artifact with the same content as a running upload waits for that upload', async () => {
  const { box, sent, uploads } = outbox();
  for (const [seq, content] of ['x', 'x', 'y'].entries()) box.add(record('a', seq + 1, 'artifact', content));
  expect(uploads).toHaveLength(1);
  uploads[0]?.(true);
  await settled();
  expect(uploads).toHaveLength(3);
  for (const upload of uploads.slice(1)) upload(true);
  await settled();
  expect(sent).toEqual(['a1', 'a2', 'a3']);
});

test('no record of a rejected attempt is sent, and no record is sent after the outbox is closed', async () => {
  const { box, sent, uploads } = outbox();
  box.add(record('a', 1, 'artifact'));
  box.add(record('a', 2, 'log'));
  box.add(record('b', 1, 'artifact'));
  uploads[0]?.(false);
  await settled();
  box.close();
  uploads[1]?.(true);
  await settled();
  expect(sent).toEqual([]);
});
