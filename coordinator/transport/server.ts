/** Creates the gRPC server with its health and reflection services. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  type handleBidiStreamingCall,
  type MethodDefinition,
  Server,
  type ServerInterceptor,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import { type Address, isLoopback } from '../../lib/net/address.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import { RejectedError } from '../../proto/errors.ts';
import { ArtifactServiceService } from '../../proto/gen/trawl/v1/artifact_service.ts';
import { AttemptServiceService } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { CodeServiceService } from '../../proto/gen/trawl/v1/code_service.ts';
import { OperationsServiceService } from '../../proto/gen/trawl/v1/operations_service.ts';
import { SweepServiceService } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { type CallStatus, callStatusInterceptor } from './call-status.ts';
import {
  CONNECTION_AGE_GRACE_MS,
  KEEPALIVE_EVERY_MS,
  KEEPALIVE_WAIT_MS,
  MAX_CONNECTION_AGE_MS,
  MAX_IDLE_MS,
  MAX_MESSAGE_BYTES,
  MAX_STREAMS,
} from './limits.ts';

/**
 * Rejects an address that other machines can reach without encryption or authentication.
 * @param secured whether callers must authenticate
 * @param advice the options that would secure the address
 * @throws {RejectedError} if the address is neither a loopback address nor secured, and `insecure` is false
 */
export function checkExposure(address: Address, insecure: boolean, secured: boolean, advice: string): void {
  if (insecure || secured || isLoopback(address)) return;
  throw new RejectedError(
    `${address.host}:${address.port} can be reached by other machines, without encryption or authentication: ` +
      `${advice}, listen on 127.0.0.1, or accept the risk with --insecure on a network that you trust`,
  );
}

/**
 * Returns a gRPC server without services.
 * @param interceptors the interceptors, in the order in which they are called for every call
 * @param onStatus called for every call that ends
 * @param keepalive the times after which a silent peer is disconnected; tests use shorter times
 */
export function newServer(
  interceptors: ServerInterceptor[] = [],
  onStatus: (ended: CallStatus) => void = () => {},
  keepalive = { everyMs: KEEPALIVE_EVERY_MS, waitMs: KEEPALIVE_WAIT_MS },
): Server {
  return new Server({
    interceptors: [callStatusInterceptor(onStatus), ...interceptors],
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_concurrent_streams': MAX_STREAMS,
    'grpc.keepalive_time_ms': keepalive.everyMs,
    'grpc.keepalive_timeout_ms': keepalive.waitMs,
    'grpc.max_connection_idle_ms': MAX_IDLE_MS,
    'grpc.max_connection_age_ms': MAX_CONNECTION_AGE_MS,
    'grpc.max_connection_age_grace_ms': CONNECTION_AGE_GRACE_MS,
  });
}

/**
 * Implements `grpc.health.v1`. Each service has a status under its name. The status of the whole server is under the
 * empty name.
 */
export class Health {
  readonly #names: readonly string[];
  readonly #health: HealthImplementation;

  constructor(server: Server, services: readonly ServiceDefinition[]) {
    this.#names = ['', ...services.map(serviceName)];
    this.#health = new HealthImplementation();
    this.#health.addToServer(server);
    this.set(false);
  }

  /** Sets the status of every service and of the whole server, and notifies the clients that watch a status. */
  set(serving: boolean): void {
    for (const name of this.#names) this.#health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING');
  }
}

/** The services of a coordinator. */
export const SERVICES = [
  SweepServiceService,
  ArtifactServiceService,
  CodeServiceService,
  AttemptServiceService,
  OperationsServiceService,
];

const PACKAGE = ['trawl', 'v1'];

const REFLECTION = ['v1', 'v1alpha'].map(
  (version) => `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
);

interface ReflectionMethod {
  readonly definition: MethodDefinition<unknown, unknown>;
  readonly answer: handleBidiStreamingCall<unknown, unknown>;
}

/**
 * Adds the service `grpc.reflection` (v1 and v1alpha), so that `grpcurl` needs no .proto files. The .proto files are
 * read only at the first reflection call. The library needs about 0.3 s of CPU time to read them, and most coordinators
 * never receive such a call.
 * @param protoDir the folder that contains `trawl/v1`
 */
export function addReflection(server: Server, protoDir: string): void {
  let methods: ReadonlyMap<string, ReflectionMethod> | undefined;
  const method = (path: string): ReflectionMethod => {
    methods ??= reflectionMethods(protoDir);
    const found = methods.get(path);
    if (found === undefined) throw new Error(`the reflection library has no ${path}`);
    return found;
  };
  for (const path of REFLECTION) {
    const definition: MethodDefinition<unknown, unknown> = {
      ...{ path, requestStream: true, responseStream: true },
      requestSerialize: (request) => method(path).definition.requestSerialize(request),
      requestDeserialize: (bytes) => method(path).definition.requestDeserialize(bytes),
      responseSerialize: (response) => method(path).definition.responseSerialize(response),
      responseDeserialize: (bytes) => method(path).definition.responseDeserialize(bytes),
    };
    const answer: handleBidiStreamingCall<unknown, unknown> = (stream) => {
      try {
        method(path).answer(stream);
      } catch (error) {
        stream.emit('error', { code: status.INTERNAL, details: errorMessage(error) });
      }
    };
    server.addService({ ServerReflectionInfo: definition }, { ServerReflectionInfo: answer });
  }
}

/** Returns the methods of the reflection library by path. */
function reflectionMethods(protoDir: string): ReadonlyMap<string, ReflectionMethod> {
  const files = readdirSync(join(protoDir, ...PACKAGE)).filter((name) => name.endsWith('.proto'));
  const paths = files.map((name) => [...PACKAGE, name].join('/'));
  const methods = new Map<string, ReflectionMethod>();
  new ReflectionService(loadSync(paths, { includeDirs: [protoDir], keepCase: true })).addToServer({
    addService(service, implementation) {
      for (const [name, definition] of Object.entries(service)) {
        const answer = implementation[name] as handleBidiStreamingCall<unknown, unknown>;
        methods.set(definition.path, { definition, answer });
      }
    },
  });
  return methods;
}

function serviceName(service: ServiceDefinition): string {
  return Object.values(service)[0]?.path.split('/')[1] ?? '';
}
