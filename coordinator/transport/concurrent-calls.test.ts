import { once } from 'node:events';
import { status } from '@grpc/grpc-js';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { SweepServiceClient, SweepServiceService } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { INSECURE } from '../../test/support/coordinator/serve.ts';
import { callerOf } from '../auth/guard.ts';
import { concurrencyInterceptor } from './concurrent-calls.ts';
import { streamHandler } from './handlers.ts';
import { listen } from './listener.ts';
import { newServer } from './server.ts';

const LIMIT = { perCaller: 2, total: 3 };

/** Starts a server whose method ListCurves sends one message and then waits until the client cancels the call. */
async function serving(): Promise<() => SweepServiceClient> {
  async function* endless(_: unknown, signal: AbortSignal) {
    yield { curves: [] };
    if (!signal.aborted) await once(signal, 'abort');
  }
  const server = newServer([concurrencyInterceptor(callerOf, () => LIMIT)]);
  const listCurves = streamHandler(pino({ level: 'silent' }), endless);
  server.addService({ listCurves: SweepServiceService.listCurves }, { listCurves });
  const listener = await listen(server, { host: '127.0.0.1', port: 0 });
  onTestFinished(() => {
    server.forceShutdown();
    listener.close();
  });
  return () => {
    const options = { 'grpc.use_local_subchannel_pool': 1 };
    const client = new SweepServiceClient(`127.0.0.1:${listener.port}`, INSECURE, options);
    onTestFinished(() => client.close());
    return client;
  };
}

/**
 * Starts a call.
 * @returns a function that cancels the call, or the error if the call was rejected
 */
async function start(client: SweepServiceClient) {
  const call = client.listCurves({ sweep: '1', trialIds: [] });
  return new Promise<(() => void) | Error>((resolve) => {
    call.on('error', resolve);
    call.once('data', () => resolve(() => call.cancel()));
  });
}

const rejection = (limit: string) => ({
  code: status.RESOURCE_EXHAUSTED,
  details: expect.stringContaining(`too many concurrent ListCurves calls (${limit})`),
});

test('calls beyond the limit per caller, or beyond the limit in total, are rejected until other calls end', async () => {
  const connect = await serving();
  const [a, b] = [connect(), connect()];
  const first = await start(a);
  expect(typeof first).toBe('function');
  expect(typeof (await start(a))).toBe('function');
  expect(await start(a)).toMatchObject(rejection('max 2 per caller'));
  expect(typeof (await start(b))).toBe('function');
  expect(await start(b)).toMatchObject(rejection('max 3 in total'));
  if (typeof first === 'function') first();
  await expect.poll(async () => typeof (await start(b))).toBe('function');
});

test('rejected calls are not counted as running calls', async () => {
  const connect = await serving();
  const client = connect();
  for (let at = 0; at < LIMIT.perCaller; at++) await start(client);
  for (let at = 0; at < 20; at++) expect(await start(client)).toMatchObject(rejection('max 2 per caller'));
});
