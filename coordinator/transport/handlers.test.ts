import { once } from 'node:events';
import { credentials, status } from '@grpc/grpc-js';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { NotLeaderError, UnreachableError } from '../../proto/errors.ts';
import {
  Curve,
  SweepServiceClient,
  type SweepServiceServer,
  SweepServiceService,
} from '../../proto/gen/trawl/v1/sweep_service.ts';
import { REACHED_HEADER } from '../../proto/leader-header.ts';
import { statusOf, streamHandler } from './handlers.ts';
import { listen } from './listener.ts';
import { newServer } from './server.ts';

const BATCHES = 200;

/** A message of about 60 KB. One or two such messages fill the buffer of the stream. */
const batch = { curves: [Curve.fromPartial({ trialId: 'x'.repeat(60_000) })] };

async function serving(listCurves: SweepServiceServer['listCurves']): Promise<SweepServiceClient> {
  const server = newServer();
  server.addService({ listCurves: SweepServiceService.listCurves }, { listCurves });
  const listener = await listen(server, { host: '127.0.0.1', port: 0 });
  const client = new SweepServiceClient(`127.0.0.1:${listener.port}`, credentials.createInsecure());
  onTestFinished(() => {
    client.close();
    server.forceShutdown();
    listener.close();
  });
  return client;
}

async function* batches() {
  for (let i = 0; i < BATCHES; i++) yield batch;
}

test('if a client stops reading, the call times out, and the generator that produces its messages is closed', async () => {
  let over = false;
  async function* endless() {
    try {
      for (;;) yield batch;
    } finally {
      over = true;
    }
  }
  const client = await serving(streamHandler(pino({ level: 'silent' }), endless, 50));
  const call = client.listCurves({ sweep: '1', trialIds: [] });
  const rejected = once(call, 'error');
  await once(call, 'data');
  call.pause();
  await expect.poll(() => over).toBe(true);
  call.resume();
  expect((await rejected)[0]).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
});

test('a slow client receives all messages of a long answer, and event listeners do not accumulate', async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  onTestFinished(() => void process.off('warning', onWarning));
  const client = await serving(streamHandler(pino({ level: 'silent' }), batches));
  let read = 0;
  for await (const _ of client.listCurves({ sweep: '1', trialIds: [] })) {
    read += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(read).toBe(BATCHES);
  expect(warnings).toEqual([]);
});

test('an UNAVAILABLE error shows whether the call has reached the leader', () => {
  const log = pino({ level: 'silent' });
  const headerOf = (error: Error) => statusOf(error, log).metadata?.get(REACHED_HEADER);
  expect(headerOf(new UnreachableError('the file is not ready'))).toEqual(['1']);
  expect(headerOf(new NotLeaderError('another coordinator leads'))).toBeUndefined();
});
