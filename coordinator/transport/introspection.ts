/** What general gRPC tools ask of any server: whether it is healthy, and which calls it knows. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Server, ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';

const PACKAGE = ['trawl', 'v1'];

/** `grpc.health.v1`, for each service by its name and (empty) for the server. */
export class Health {
  readonly #names: readonly string[];
  readonly #health: HealthImplementation;

  constructor(server: Server, services: readonly ServiceDefinition[]) {
    this.#names = ['', ...services.map(nameOf)];
    this.#health = new HealthImplementation();
    this.#health.addToServer(server);
    this.set(false);
  }

  /** Tells whoever asks and whoever watches. */
  set(serving: boolean): void {
    for (const name of this.#names) this.#health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING');
  }
}

/**
 * `grpc.reflection`, v1 and v1alpha: `grpcurl` lists and calls without our files.
 * @param protoDir the folder that holds `trawl/v1`
 */
export function addReflection(server: Server, protoDir: string): void {
  const files = readdirSync(join(protoDir, ...PACKAGE)).filter((name) => name.endsWith('.proto'));
  const paths = files.map((name) => [...PACKAGE, name].join('/'));
  new ReflectionService(loadSync(paths, { includeDirs: [protoDir], keepCase: true })).addToServer(server);
}

/** Every method's path begins with its service's name. */
function nameOf(service: ServiceDefinition): string {
  return Object.values(service)[0]?.path.split('/')[1] ?? '';
}
