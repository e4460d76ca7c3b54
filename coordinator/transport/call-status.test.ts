import { Client, Metadata, status } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import { BadInputError } from '../../proto/errors.ts';
import { GetSweepRequest, SweepServiceService } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { INSECURE } from '../../test/support/coordinator/serve.ts';
import { type CallStatus, MAX_DETAILS } from './call-status.ts';
import { MAX_MESSAGE_BYTES } from './limits.ts';
import { listen } from './listener.ts';
import { newServer } from './server.ts';

const { getSweep } = SweepServiceService;
const READABLE = Buffer.from(GetSweepRequest.encode({ sweep: 's', version: 0 }).finish());

interface Answer {
  readonly code: number;
  readonly details: string;
}

/**
 * Starts a server whose only method fails with the error text `words`.
 * @returns `call`, which calls the method with the given bytes as the request, and `endings`, which has the status of
 * each call that has ended
 */
async function serving(words = 'no') {
  const endings: CallStatus[] = [];
  const server = newServer([], (ending) => endings.push(ending));
  const refuse = new BadInputError(words);
  server.addService(
    { getSweep },
    {
      getSweep: (_call: unknown, callback: (error: object) => void) =>
        callback({ code: refuse.grpcCode, details: refuse.message }),
    },
  );
  const listener = await listen(server, { host: '127.0.0.1', port: 0 });
  const client = new Client(`127.0.0.1:${listener.port}`, INSECURE);
  onTestFinished(() => {
    client.close();
    server.forceShutdown();
    listener.close();
  });
  const call = (bytes: Uint8Array, metadata = new Metadata()) =>
    new Promise<Answer>((resolve) => {
      const asIs = (buffer: Buffer) => buffer;
      client.makeUnaryRequest(getSweep.path, asIs, asIs, Buffer.from(bytes), metadata, (error) =>
        resolve({ code: error?.code ?? status.OK, details: error?.details ?? '' }),
      );
    });
  return { call, endings };
}

test('an unreadable message is reported as an invalid argument, and counted as unreadable', async () => {
  const { call, endings } = await serving();
  expect(await call(Uint8Array.of(0x0a, 0xff))).toMatchObject({
    code: status.INVALID_ARGUMENT,
    details: expect.stringContaining('unreadable message'),
  });
  expect(endings).toMatchObject([{ path: getSweep.path, code: status.INVALID_ARGUMENT, unreadable: true }]);
});

test('a message over the size limit is rejected, and counted as unreadable', async () => {
  const { call, endings } = await serving();
  expect(await call(Buffer.alloc(MAX_MESSAGE_BYTES + 1))).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  expect(endings).toMatchObject([{ code: status.RESOURCE_EXHAUSTED, unreadable: true }]);
});

test('a readable message that is rejected is not counted as unreadable', async () => {
  const { call, endings } = await serving();
  expect(await call(READABLE)).toEqual({ code: status.INVALID_ARGUMENT, details: 'no' });
  expect(endings).toMatchObject([{ code: status.INVALID_ARGUMENT, unreadable: false }]);
});

test('a long status message is shortened, and a character that cannot be encoded is replaced', async () => {
  const long = await serving(`this ${'\u00e9'.repeat(100_000)} is too long`);
  const { details } = await long.call(READABLE);
  expect(details).toHaveLength(MAX_DETAILS + ' ... '.length);
  expect(details).toMatch(/^this .* is too long$/);
  const broken = await serving('half \ud800 a character');
  expect(await broken.call(READABLE)).toEqual({ code: status.INVALID_ARGUMENT, details: 'half \ufffd a character' });
});
