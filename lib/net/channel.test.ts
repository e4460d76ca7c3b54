import { Client, type Metadata, Server, ServerCredentials, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, expect, test, vi } from 'vitest';
import { REACHED_HEADER } from '../../proto/leader-header.ts';
import { channelTo } from './channel.ts';
import type { TokenSource } from './token-source.ts';

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

/**
 * Makes one call. Returns whether the call arrived, its authorization header, and the error that the client received.
 * @param rejection the code with which the server rejects the call; by default, it accepts the call
 */
async function headerOf(
  tokenOf: TokenSource,
  rejection?: status,
): Promise<{ arrived: boolean; header: unknown; error: ServiceError | null }> {
  let arrived = false;
  let header: unknown;
  const pass = (bytes: Buffer) => bytes;
  const definition = { path: '/a.B/C', requestStream: false, responseStream: false } as const;
  const codec = {
    requestSerialize: pass,
    requestDeserialize: pass,
    responseSerialize: pass,
    responseDeserialize: pass,
  };
  const server = new Server();
  server.addService(
    { C: { ...definition, ...codec } },
    {
      C(call: { metadata: Metadata }, callback: (error: Partial<ServiceError> | null, value: Buffer) => void) {
        arrived = true;
        header = call.metadata.get('authorization')[0];
        callback(rejection === undefined ? null : { code: rejection, details: 'wrong token' }, Buffer.alloc(0));
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const { shown, options } = channelTo(`127.0.0.1:${port}`, undefined, tokenOf);
  const client = new Client(`127.0.0.1:${port}`, shown, options);
  const error = await new Promise<ServiceError | null>((resolve) => {
    client.makeUnaryRequest(definition.path, pass, pass, Buffer.alloc(0), (failed) => resolve(failed));
  });
  client.close();
  server.forceShutdown();
  return { arrived, header, error };
}

test('each call contains the token, if there is a token', async () => {
  const answer = await headerOf(() => ({ kind: 'token', token: 'secret-of-the-owner' }));
  expect(answer).toEqual({ arrived: true, header: 'Bearer secret-of-the-owner', error: null });
  expect(await headerOf(() => ({ kind: 'none' }))).toEqual({ arrived: true, header: undefined, error: null });
});

test('a call to a port that another user listens on fails, and nothing is sent', async () => {
  const { arrived, error } = await headerOf(() => ({ kind: 'foreign', message: 'the port belongs to another user' }));
  expect(arrived).toBe(false);
  expect(error).toMatchObject({ code: status.UNAVAILABLE, details: 'the port belongs to another user' });
});

/** Returns a token source that answers `first` to the first call, and `later` to all later calls. */
function changing(first: ReturnType<TokenSource>, later: ReturnType<TokenSource>): TokenSource {
  let asked = 0;
  return () => (asked++ === 0 ? first : later);
}

const NONE = { kind: 'none' } as const;
const token = (text: string) => ({ kind: 'token', token: text }) as const;

test.each([
  ['a coordinator has created a token in the meantime', changing(NONE, token('new'))],
  ['a restore has replaced the token in the meantime', changing(token('old'), token('new'))],
])('a rejected call can be repeated if %s', async (_, source) => {
  const { arrived, error } = await headerOf(source, status.UNAUTHENTICATED);
  expect(arrived).toBe(true);
  expect(error).toMatchObject({ code: status.UNAVAILABLE });
  expect(error?.metadata.get(REACHED_HEADER)).toEqual(['1']);
});

test.each([
  ['the token is still the same', changing(token('same'), token('same')), status.UNAUTHENTICATED],
  ['there is still no token', changing(NONE, NONE), status.UNAUTHENTICATED],
  ['it failed for a reason other than its token', changing(token('old'), token('new')), status.PERMISSION_DENIED],
])('a failed call keeps its error if %s', async (_, source, code) => {
  expect((await headerOf(source, code)).error).toMatchObject({ code, details: 'wrong token' });
});
