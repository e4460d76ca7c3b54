import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { configsOf, rankConfigs } from '../../lib/domain/configs.ts';
import { type ListTrialsResponse, SweepServiceClient } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import { collected } from '../../test/support/collected.ts';
import { INSECURE, newFolder, type Served, serve } from '../../test/support/coordinator/serve.ts';
import { sweepControl } from '../app/sweep-control.ts';
import type { Change } from '../core/step.ts';
import { pagesOf, ROWS_PER_MESSAGE, trialBytes } from './pages.ts';

test('pages contain all rows in order, and a page ends at its maximum number of rows or with the row that reaches its size limit', async () => {
  const sizes = fc.array(fc.nat(50), { maxLength: 60 });
  const [anyRows, anyBytes] = [fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 200 })];
  await fc.assert(
    fc.asyncProperty(sizes, anyRows, anyBytes, async (rows, maxRows, bytes) => {
      const pages = await collected(pagesOf(rows, (size) => size, { rows: maxRows, bytes }));
      expect(pages.flat()).toEqual(rows);
      for (const page of pages) {
        expect(page.length).toBeGreaterThan(0);
        expect(page.length).toBeLessThanOrEqual(maxRows);
        expect(page.slice(0, -1).reduce((sum, size) => sum + size, 0)).toBeLessThan(bytes);
      }
    }),
  );
});

const METRICS = 150;
const NAME_LENGTH = 1_000;
const VALUES = 20;
const SEEDS = 2;

let served: Served;
let client: SweepServiceClient;
let sweep: string;
beforeEach(async () => {
  served = await serve(newFolder());
  client = new SweepServiceClient(served.address, INSECURE, { 'grpc.max_receive_message_length': 2 * 2 ** 20 });
  const values = Array.from({ length: VALUES }, (_, at) => at);
  const text = `trainer: noop\nmetric: {name: test_loss, goal: minimize}\nseeds: [1, 2]\nparameters:\n  y: {values: [${values}]}\n`;
  sweep = await sweepControl(served.runtime).submit({ fileName: 's', text, requestId: 'r', source: undefined });
  const metrics = Object.fromEntries(
    Array.from({ length: METRICS }, (_, at) => [`${at}`.padEnd(NAME_LENGTH, 'm'), at]),
  );
  const changes = (await stored()).flatMap(({ id: trialId, index }): Change[] => [
    {
      kind: 'report',
      key: { sweepId: sweep, trialId, attempt: 1 },
      seq: 1,
      at: 5,
      epoch: 1,
      metrics: { ...metrics, test_loss: (index * 7) % 5 },
    },
    { kind: 'trial', sweepId: sweep, trialId, state: 'succeeded', detail: '', failure: undefined },
  ]);
  await served.runtime.settle({ changes, outputs: [] });
});
afterEach(() => {
  client.close();
  served.stop();
});

const stored = () => served.runtime.queries.trials.all(sweep);

/** Returns the rows of each message of a list. The client rejects messages of more than 2 MiB. */
async function listed<Row>(call: AsyncIterable<unknown>, rowsOf: (message: never) => readonly Row[]): Promise<Row[][]> {
  const pages: Row[][] = [];
  for await (const message of call) pages.push([...rowsOf(message as never)]);
  return pages;
}

function expectSmall(pages: readonly (readonly Trial[])[]): void {
  expect(pages.length).toBeGreaterThan((VALUES * SEEDS * METRICS * NAME_LENGTH) / 2 ** 21);
  for (const page of pages) {
    expect(page.slice(0, -1).reduce((sum, trial) => sum + trialBytes(trial), 0)).toBeLessThan(ROWS_PER_MESSAGE.bytes);
  }
}

const sorted = (trials: readonly Trial[]) =>
  trials.map((trial) => ({ ...trial, rank: 0 })).toSorted((a, b) => a.index - b.index);

test('a list of trials with many metrics is sent completely, in several messages of limited size', async () => {
  const request = { sweep, rankBy: '', goal: 'GOAL_UNSPECIFIED', states: [], trialIds: [], limit: 0 } as const;
  const call = client.listTrials({ ...request, states: [], trialIds: [] });
  const pages = await listed(call, ({ trials }: ListTrialsResponse) => trials);
  expectSmall(pages);
  expect(sorted(pages.flat())).toEqual(await stored());
});

test('the snapshot of a watch is sent completely, in several messages of limited size', async () => {
  const pages: Trial[][] = [];
  const call = client.watch({ sweep, sinceEventSeq: 0 });
  for await (const { update } of call) {
    const part = update?.$case === 'snapshot' ? update.snapshot : update?.delta;
    pages.push(part?.trials ?? []);
    if (part?.more === false) break;
  }
  call.on('error', () => {}).cancel();
  expectSmall(pages);
  expect(pages.flat()).toEqual(await stored());
});

test('a list of configs is sent in several messages, with the configs in order of rank', async () => {
  const call = client.listConfigs({ sweep, rankBy: '', goal: 'GOAL_UNSPECIFIED', limit: 0 });
  const pages = await listed(call, ({ configs }: { configs: ReturnType<typeof configsOf> }) => configs);
  expect(pages.length).toBeGreaterThan(2);
  expect(pages.flat()).toEqual(rankConfigs(configsOf(await stored()), 'test_loss', 'minimize'));
});
