import { Client, Metadata, status } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import { BadInputError } from '../../proto/errors.ts';
import { GetSweepRequest, SweepServiceService } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { INSECURE } from '../../test/support/coordinator/serve.ts';
import { openDoor } from './door.ts';
import { type CallEnding, MAX_DETAILS } from './endings.ts';
import { MAX_MESSAGE_BYTES } from './limits.ts';
import { newServer } from './server.ts';

const { getSweep } = SweepServiceService;
const READABLE = Buffer.from(GetSweepRequest.encode({ sweep: 's' }).finish());

interface Answer {
  readonly code: number;
  readonly details: string;
}

/** A server whose only method refuses with these words, and what calls it with whatever bytes. */
async function serving(words = 'no') {
  const endings: CallEnding[] = [];
  const server = newServer([], (ending) => endings.push(ending));
  const refuse = new BadInputError(words);
  server.addService(
    { getSweep },
    {
      getSweep: (_call: unknown, callback: (error: object) => void) =>
        callback({ code: refuse.grpcCode, details: refuse.message }),
    },
  );
  const door = await openDoor(server, { host: '127.0.0.1', port: 0 });
  const client = new Client(`127.0.0.1:${door.port}`, INSECURE);
  onTestFinished(() => {
    client.close();
    server.forceShutdown();
    door.close();
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

test("a message that cannot be read is its sender's fault, and told apart", async () => {
  const { call, endings } = await serving();
  expect(await call(Uint8Array.of(0x0a, 0xff))).toMatchObject({
    code: status.INVALID_ARGUMENT,
    details: expect.stringContaining('cannot be read'),
  });
  expect(endings).toMatchObject([{ path: getSweep.path, code: status.INVALID_ARGUMENT, unreadable: true }]);
});

test('a message over the limit is refused as that, and counts as unreadable', async () => {
  const { call, endings } = await serving();
  expect(await call(Buffer.alloc(MAX_MESSAGE_BYTES + 1))).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  expect(endings).toMatchObject([{ code: status.RESOURCE_EXHAUSTED, unreadable: true }]);
});

test('what is readable and refused is not counted as unreadable', async () => {
  const { call, endings } = await serving();
  expect(await call(READABLE)).toEqual({ code: status.INVALID_ARGUMENT, details: 'no' });
  expect(endings).toMatchObject([{ code: status.INVALID_ARGUMENT, unreadable: false }]);
});

test('a refusal of any length, and of any characters, arrives', async () => {
  const long = await serving(`this ${'\u00e9'.repeat(100_000)} is too long`);
  const { details } = await long.call(READABLE);
  expect(details).toHaveLength(MAX_DETAILS + ' ... '.length);
  expect(details).toMatch(/^this .* is too long$/);
  const broken = await serving('half \ud800 a character');
  expect(await broken.call(READABLE)).toEqual({ code: status.INVALID_ARGUMENT, details: 'half \ufffd a character' });
});
