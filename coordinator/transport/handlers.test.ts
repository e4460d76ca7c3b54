import { credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { Curve, SweepServiceClient, SweepServiceService } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { streamed } from './handlers.ts';

const BATCHES = 200;

/** Some 60 KB, so that the stream is full after every batch or two. */
const batch = { curves: [Curve.fromPartial({ trialId: 'x'.repeat(60_000) })] };

async function* batches() {
  for (let i = 0; i < BATCHES; i++) yield batch;
}

test('a long answer to a slow reader arrives whole, and no listener is left behind for each wait', async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  const server = new Server();
  server.addService(
    { listCurves: SweepServiceService.listCurves },
    { listCurves: streamed(pino({ level: 'silent' }), batches) },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const client = new SweepServiceClient(`127.0.0.1:${port}`, credentials.createInsecure());
  onTestFinished(() => {
    process.off('warning', onWarning);
    client.close();
    server.forceShutdown();
  });
  let read = 0;
  for await (const _ of client.listCurves({ sweep: '1', trialIds: [] })) {
    read += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(read).toBe(BATCHES);
  expect(warnings).toEqual([]);
});
