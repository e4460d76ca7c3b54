/**
 * Transfers of artifact files. The coordinator's side models coordinator/transport/artifact-service.ts, and the agent's
 * side models agent/supervisor/artifact-transfer.ts. The model includes rejected and interrupted transfers. A file is
 * durable before the coordinator answers `stored`.
 */

import { status } from '@grpc/grpc-js';
import { LostFileError, type Upload } from '../../agent/supervisor/artifact-transfer.ts';
import type { CoordinatorClient } from '../../agent/supervisor/coordinator-client.ts';
import type { Runtime } from '../../coordinator/app/runtime.ts';
import { rejectionOf } from '../../coordinator/core/attempt-records.ts';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import type { Refusal } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { Artifact } from '../../proto/gen/trawl/v1/types.ts';
import { KEEPALIVE_MS, type SimulatedNetwork } from './network.ts';
import type { SimulatedProcess } from './process.ts';
import type { StoredFiles } from './stored-files.ts';

export class ArtifactTransfers {
  readonly #runtime: Runtime;
  readonly #files: StoredFiles;
  readonly #now: () => number;

  /** @param now virtual time */
  constructor(runtime: Runtime, files: StoredFiles, now: () => number) {
    this.#runtime = runtime;
    this.#files = files;
    this.#now = now;
  }

  /** Returns `wanted` if the agent must send the file, `stored` if the coordinator has the file, or a refusal. */
  begin(agentId: string, key: AttemptKey, artifact: Artifact): Refusal | 'stored' | 'wanted' {
    const refusal = rejectionOf(this.#runtime.core, agentId, key);
    if (refusal !== undefined) return refusal;
    return this.#files.sumOf(key, artifact.name) === artifact.sha256 ? 'stored' : 'wanted';
  }

  /** Stores a complete file durably. */
  finish(key: AttemptKey, artifact: Artifact): void {
    this.#files.put(key, artifact.name, artifact.sha256, this.#now());
  }

  /** Returns the SHA-256 of a stored file; undefined if there is no artifact with this name. */
  async read({ sweepId, trialId }: AttemptKey, { attempt, name }: Artifact): Promise<string | undefined> {
    try {
      await this.#runtime.queries.artifacts.get(sweepId, trialId, attempt, name);
    } catch {
      return undefined;
    }
    return this.#files.sumOf({ sweepId, trialId, attempt }, name);
  }
}

/** SHA-256 sums of the files on an agent's machine, by path. */
export type MachineFiles = Map<string, string>;

/** The connections between the agents and the coordinator. */
interface TransferConnections {
  readonly network: SimulatedNetwork;
  /** The coordinator. Undefined while no coordinator is listening. */
  readonly listening: { readonly process: SimulatedProcess; readonly artifacts: ArtifactTransfers } | undefined;
}

/**
 * Returns an agent's uploads and downloads.
 * @param transferMs draws the duration of a transfer
 */
export function transferClient(
  grpc: TransferConnections,
  agent: SimulatedProcess,
  machine: MachineFiles,
  transferMs: () => number,
): Pick<CoordinatorClient, 'upload' | 'download'> {
  const { clock, random } = grpc.network;

  function request<T>(handle: (transfers: ArtifactTransfers) => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const fail = (message: string) => reject(Object.assign(new Error(message), { code: status.UNAVAILABLE }));
      const coordinator = grpc.listening;
      if (coordinator === undefined || !coordinator.process.alive) {
        clock.after(random.between(1, 500), agent, () => fail('connection refused'));
        return;
      }
      clock.after(KEEPALIVE_MS, agent, () => fail('connection lost'));
      grpc.network.post(agent, coordinator.process, () => {
        Promise.resolve(handle(coordinator.artifacts)).then((answer) => {
          grpc.network.post(coordinator.process, agent, () => resolve(answer));
        }, reject);
      });
    });
  }

  async function upload({ agentId, key, artifact, path }: Upload): Promise<'stored' | Refusal> {
    if (!machine.has(path)) throw new LostFileError(`the file ${path} is missing`);
    const answer = await request((transfers) => transfers.begin(agentId, key, artifact));
    if (answer !== 'wanted') return answer;
    await new Promise<void>((resolve) => clock.after(transferMs(), agent, resolve));
    if (machine.get(path) !== artifact.sha256) throw new LostFileError(`the file ${path} was changed`);
    await request((transfers) => transfers.finish(key, artifact));
    return 'stored';
  }

  return {
    upload: (announced, signal) =>
      new Promise((resolve, reject) => {
        const stop = () => reject(new Error('cancelled'));
        signal.addEventListener('abort', stop, { once: true });
        upload(announced)
          .finally(() => signal.removeEventListener('abort', stop))
          .then(resolve, reject);
      }),
    async download(key, artifact, path) {
      const sum = await request((transfers) => transfers.read(key, artifact));
      if (sum === undefined) throw Object.assign(new Error('no such artifact'), { code: status.NOT_FOUND });
      await new Promise<void>((resolve) => clock.after(transferMs(), agent, resolve));
      machine.set(path, sum);
      return sum === artifact.sha256;
    },
  };
}
