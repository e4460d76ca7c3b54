/** A generic gRPC client, which uses only the health and reflection services and has no trawl .proto files. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Client, type MethodDefinition } from '@grpc/grpc-js';
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader';
import { protoPath as healthProto } from 'grpc-health-check';
import { onTestFinished } from 'vitest';
import { channelTo } from '../../lib/net/channel.ts';
import { tokenSource } from '../../lib/net/token-source.ts';

const reflectionProto = (version: string) =>
  join(
    dirname(createRequire(import.meta.url).resolve('@grpc/reflection')),
    `../proto/grpc/reflection/${version}/reflection.proto`,
  );

/** Returns the health status of a service. The empty name means the whole server. */
export async function healthOf(address: string, service: string): Promise<string> {
  const method = methodOf(healthProto, 'grpc.health.v1.Health', 'Check');
  const answer = await new Promise<unknown>((resolve, reject) => {
    connect(address).makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      { service },
      (error, answer) => (error === null ? resolve(answer) : reject(error)),
    );
  });
  return (answer as { status: string }).status;
}

export interface Reflected {
  readonly list_services_response?: { readonly service: readonly { readonly name: string }[] };
  readonly file_descriptor_response?: { readonly file_descriptor_proto: readonly Buffer[] };
}

/** Sends one request to a server's reflection service. */
export function reflect(
  address: string,
  question: Readonly<Record<string, string>>,
  version: 'v1' | 'v1alpha' = 'v1',
): Promise<Reflected> {
  const service = `grpc.reflection.${version}.ServerReflection`;
  const method = methodOf(reflectionProto(version), service, 'ServerReflectionInfo');
  const stream = connect(address).makeBidiStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
  );
  return new Promise((resolve, reject) => {
    stream.on('data', (answer: Reflected) => {
      resolve(answer);
      stream.end();
    });
    stream.on('error', reject);
    stream.write(question);
  });
}

function methodOf(file: string, service: string, method: string): MethodDefinition<object, object> {
  const definition = loadSync(file, { keepCase: true, enums: String, oneofs: true })[service] as ServiceDefinition;
  const found = definition[method];
  if (found === undefined) throw new Error(`${service} has no ${method}`);
  return found;
}

function connect(address: string): Client {
  const { shown, options } = channelTo(address, undefined, tokenSource(address, undefined));
  const client = new Client(address, shown, options);
  onTestFinished(() => client.close());
  return client;
}
