import { expect, test } from 'vitest';
import { Record as RecordMessage, type ReportRequest } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { Outbox } from './outbox.ts';

const record = (trialId: string, seq: number, kind: 'log' | 'artifact'): RecordMessage =>
  RecordMessage.fromPartial({
    key: { sweepId: '1', trialId, attempt: 1 },
    seq,
    body: kind === 'log' ? { $case: 'log', log: { text: 'x' } } : { $case: 'artifact', artifact: { name: `${seq}` } },
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

test("an artifact's record and the attempt's later records wait for the upload, in order; other attempts do not wait", async () => {
  const { box, sent, uploads } = outbox();
  box.add(record('a', 1, 'log'));
  box.add(record('a', 2, 'artifact'));
  box.add(record('a', 3, 'log'));
  box.add(record('a', 4, 'artifact'));
  box.add(record('a', 5, 'log'));
  box.add(record('b', 1, 'log'));
  expect(sent).toEqual(['a1', 'b1']);
  uploads[0]?.(true);
  await settled();
  expect(sent).toEqual(['a1', 'b1', 'a2', 'a3']);
  expect(uploads).toHaveLength(2);
  uploads[1]?.(true);
  await settled();
  expect(sent).toEqual(['a1', 'b1', 'a2', 'a3', 'a4', 'a5']);
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
