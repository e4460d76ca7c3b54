import { expect, test } from 'vitest';
import { Record as RecordMessage } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { Outbox } from './outbox.ts';

const record = (trialId: string, seq: number, kind: 'log' | 'artifact'): RecordMessage =>
  RecordMessage.fromPartial({
    key: { sweepId: '1', trialId, attempt: 1 },
    seq,
    body: kind === 'log' ? { $case: 'log', log: { text: 'x' } } : { $case: 'artifact', artifact: { name: `${seq}` } },
  });

/** An outbox whose files arrive when the test says so. */
function outbox() {
  const sent: string[] = [];
  const brought: ((wanted: boolean) => void)[] = [];
  const box = new Outbox({
    send: ({ key, seq }) => sent.push(`${key?.trialId}${seq}`),
    bring: () => new Promise((resolve) => brought.push(resolve)),
  });
  return { box, sent, brought };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("an artifact's record and what comes after wait for its file, in order; other attempts pass by", async () => {
  const { box, sent, brought } = outbox();
  box.add(record('a', 1, 'log'));
  box.add(record('a', 2, 'artifact'));
  box.add(record('a', 3, 'log'));
  box.add(record('a', 4, 'artifact'));
  box.add(record('a', 5, 'log'));
  box.add(record('b', 1, 'log'));
  expect(sent).toEqual(['a1', 'b1']);
  brought[0]?.(true);
  await settled();
  expect(sent).toEqual(['a1', 'b1', 'a2', 'a3']);
  expect(brought).toHaveLength(2);
  brought[1]?.(true);
  await settled();
  expect(sent).toEqual(['a1', 'b1', 'a2', 'a3', 'a4', 'a5']);
});

test('nothing of an attempt that is not wanted is sent, and nothing after the outbox is closed', async () => {
  const { box, sent, brought } = outbox();
  box.add(record('a', 1, 'artifact'));
  box.add(record('a', 2, 'log'));
  box.add(record('b', 1, 'artifact'));
  brought[0]?.(false);
  await settled();
  box.close();
  brought[1]?.(true);
  await settled();
  expect(sent).toEqual([]);
});
