import { join } from 'node:path';
import { type Server, ServerCredentials, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { packageRoot } from '../../lib/files/package-root.ts';
import { reflect } from '../../test/support/grpc-tools.ts';
import { addReflection, newServer } from './server.ts';

let server: Server;

beforeEach(() => {
  server = newServer();
});
afterEach(() => server.forceShutdown());

/** Starts the server with a reflection service that reads `protoDir`, and returns the address. */
async function serve(protoDir: string): Promise<string> {
  addReflection(server, protoDir);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return `127.0.0.1:${port}`;
}

test.each(['v1', 'v1alpha'] as const)('reflection %s describes the methods of the coordinator', async (version) => {
  const address = await serve(join(packageRoot(), 'proto'));
  const services = await reflect(address, { list_services: '' }, version);
  expect(services.list_services_response?.service.map(({ name }) => name)).toContain('trawl.v1.SweepService');
  const file = await reflect(address, { file_containing_symbol: 'trawl.v1.SweepService.Submit' }, version);
  expect(file.file_descriptor_response?.file_descriptor_proto.length).toBeGreaterThan(0);
});

test('if the .proto files cannot be read, each reflection call fails with the reason', async () => {
  const address = await serve('/nowhere');
  for (let call = 0; call < 2; call++) {
    await expect(reflect(address, { list_services: '' })).rejects.toMatchObject({
      code: status.INTERNAL,
      details: expect.stringContaining('/nowhere/trawl/v1'),
    });
  }
});
