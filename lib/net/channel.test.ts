import { Client, Server, ServerCredentials } from '@grpc/grpc-js';
import { afterEach, expect, test, vi } from 'vitest';
import { channelTo } from './channel.ts';

afterEach(() => vi.unstubAllEnvs());

const VARIABLES = ['grpc_proxy', 'https_proxy', 'http_proxy'];

/** Returns whether a client reaches a server on this machine within a second. */
async function connects(): Promise<boolean> {
  const server = new Server();
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const address = `127.0.0.1:${port}`;
  const { shown, options } = channelTo(address, undefined);
  const client = new Client(address, shown, options);
  try {
    return await new Promise<boolean>((resolve) => {
      client.waitForReady(Date.now() + 1_000, (error) => resolve(error === undefined));
    });
  } finally {
    client.close();
    server.forceShutdown();
  }
}

test.each(VARIABLES)('a channel ignores the proxy in %s', async (variable) => {
  vi.stubEnv('no_proxy', '');
  vi.stubEnv('no_grpc_proxy', '');
  vi.stubEnv(variable, 'http://127.0.0.1:9');
  expect(await connects()).toBe(true);
});

test.each(VARIABLES)('with TRAWL_USE_PROXY=1, a channel uses the proxy in %s', async (variable) => {
  vi.stubEnv('no_proxy', '');
  vi.stubEnv('no_grpc_proxy', '');
  vi.stubEnv('TRAWL_USE_PROXY', '1');
  vi.stubEnv(variable, 'http://127.0.0.1:9');
  expect(await connects()).toBe(false);
});
