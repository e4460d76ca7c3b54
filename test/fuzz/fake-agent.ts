/**
 * A fake agent that holds leases but runs nothing, so that invalid messages about its attempts would change the store
 * if they were accepted.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { credentials } from '@grpc/grpc-js';
import { onTestFinished } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { AttemptServiceClient, type OpenResponse } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { PROTOCOL } from '../../proto/protocol.ts';
import type { Cluster } from '../support/cluster.ts';
import { sweepFile } from '../support/folder.ts';
import { until } from '../support/until.ts';
import type { SampleValues } from './values.ts';

const INCARNATION = 'strings';
const TRIALS = 24;
const HELD = 16;
const CHUNK = 'sawdust';
const CHUNK_SHA256 = createHash('sha256').update(CHUNK).digest('hex');

/**
 * Submits a sweep, some of whose trials are leased to a fake agent.
 * @param name the name of the sweep and of the agent
 * @returns the field values of valid messages about the sweep and the agent
 */
export async function startFakeAgent(cluster: Cluster, name: string): Promise<SampleValues> {
  const values = Array.from({ length: TRIALS }, (_, x) => x).join(', ');
  const text = `name: ${name}\ntrainer: noop\nparameters: {x: {values: [${values}]}}\n`;
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(cluster.folder, text));
  const client = new AttemptServiceClient(cluster.address, credentials.createInsecure());
  const stream = client.report();
  stream.on('error', () => {});
  onTestFinished(() => client.close());
  const hello = {
    agentId: name,
    incarnation: INCARNATION,
    instance: name,
    location: '',
    protocol: PROTOCOL,
    leaderEpoch: 0,
    acceptsBatches: false,
  };
  const more = {
    version: '0',
    host: 'nowhere',
    slots: TRIALS,
    backend: 'none',
    gpus: [],
    pack: 1,
    metrics: '',
    labels: {},
  };
  const slotFacts = Array.from({ length: TRIALS }, () => ({ gpus: 0, vramBytes: 0 }));
  stream.write({ message: { $case: 'hello', hello: { ...hello, ...more, slotFacts, trainers: ['noop'] } } });
  await once(stream, 'data');
  stream.resume();
  await until('all trials are offered', async () => (await cluster.sweep(sweep))?.counts?.offered === TRIALS);
  const trials = await cluster.json<TrialJson[]>('trials', sweep);
  const ids = trials.map(({ trial }) => trial);
  const keyOf = (trialId: string) => ({ sweepId: sweep, trialId, attempt: 1 });
  const claims = ids.slice(0, HELD).map((trialId, slot) => ({ key: keyOf(trialId), slot, pack: 0 }));
  const { decisions } = await new Promise<OpenResponse>((resolve, reject) => {
    const request = { agentId: name, incarnation: INCARNATION, claims };
    client.open(request, (error, response) => (error === null ? resolve(response) : reject(error)));
  });
  if (decisions.some(({ answer }) => answer?.$case !== 'grant'))
    throw new Error('the fake agent was not granted its leases');
  return wordsOf(sweep, name, ids);
}

function wordsOf(sweep: string, name: string, trials: readonly string[]): SampleValues {
  return {
    sweep: [name],
    sweepId: [sweep],
    trial: trials,
    trialId: trials,
    attempt: [1],
    agent: [name],
    agentId: [name],
    incarnation: [INCARNATION],
    protocol: [PROTOCOL],
    slots: [TRIALS],
    pack: [1],
    slot: [HELD + 1, HELD + 2, HELD + 3],
    seq: [1, 1, 2],
    metrics: ['test_loss'],
    'Hello.metrics': ['', '127.0.0.1:9'],
    action: [1, 2, 2],
    outcome: [1, 3],
    rankBy: ['', 'test_loss'],
    goal: [1],
    kind: [1, 2, 3, 4],
    name: ['a.bin', 'b/c.bin'],
    size: [CHUNK.length],
    sha256: [CHUNK_SHA256],
    chunk: [CHUNK],
    graceMs: [0, 60_000],
    fileName: ['sweep.yaml'],
    text: ['trainer: noop\nparameters: {x: {values: [1000]}}\nretry: {crash: 0}\n'],
  };
}
