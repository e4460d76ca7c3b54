/**
 * The files of artifacts on their way in and out. The coordinator's half models coordinator/transport/artifact-service.ts,
 * the agent's agent/supervisor/artifact-transfer.ts: who is refused, what is durable when `stored` is said, and that a
 * way may break anywhere.
 */

import { status } from '@grpc/grpc-js';
import { LostFileError, type Upload } from '../../agent/supervisor/artifact-transfer.ts';
import type { CoordinatorClient } from '../../agent/supervisor/coordinator-client.ts';
import type { Runtime } from '../../coordinator/app/runtime.ts';
import { rejectionOf } from '../../coordinator/core/attempts.ts';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import type { Refusal } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { Artifact } from '../../proto/gen/trawl/v1/types.ts';
import type { Grpc } from './grpc.ts';
import { KEEPALIVE_MS } from './network.ts';
import type { SimulatedProcess } from './process.ts';
import type { StoredFiles } from './stored-files.ts';

export class ArtifactWays {
  readonly #runtime: Runtime;
  readonly #files: StoredFiles;
  readonly #now: () => number;

  /** @param now virtual time */
  constructor(runtime: Runtime, files: StoredFiles, now: () => number) {
    this.#runtime = runtime;
    this.#files = files;
    this.#now = now;
  }

  /** @returns `wanted`: the bytes are to be sent */
  begin(agentId: string, key: AttemptKey, artifact: Artifact): Refusal | 'stored' | 'wanted' {
    const refusal = rejectionOf(this.#runtime.core, agentId, key);
    if (refusal !== undefined) return refusal;
    return this.#files.sumOf(key, artifact.name) === artifact.sha256 ? 'stored' : 'wanted';
  }

  /** All bytes are here: durable, whole, in its place. */
  finish(key: AttemptKey, artifact: Artifact): void {
    this.#files.put(key, artifact.name, artifact.sha256, this.#now());
  }

  /** @returns the sum of what is read; undefined: there is no such artifact */
  read({ sweepId, trialId }: AttemptKey, { attempt, name }: Artifact): string | undefined {
    try {
      this.#runtime.queries.artifact(sweepId, trialId, attempt, name);
    } catch {
      return undefined;
    }
    return this.#files.sumOf({ sweepId, trialId, attempt }, name);
  }
}

/** Sums of the files on an agent's machine, by path. */
export type MachineFiles = Map<string, string>;

/** @param transferMs how long a file takes */
export function fileWays(
  grpc: Grpc,
  agent: SimulatedProcess,
  machine: MachineFiles,
  transferMs: () => number,
): Pick<CoordinatorClient, 'upload' | 'download'> {
  const { clock, random } = grpc.network;

  /** One exchange with the coordinator that listens now. Rejects as grpc-js does. */
  function ask<T>(question: (ways: ArtifactWays) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const fail = (message: string) => reject(Object.assign(new Error(message), { code: status.UNAVAILABLE }));
      const coordinator = grpc.listening;
      if (coordinator === undefined || !coordinator.process.alive) {
        clock.after(random.between(1, 500), agent, () => fail('the connection was refused'));
        return;
      }
      clock.after(KEEPALIVE_MS, agent, () => fail('the connection was lost'));
      grpc.network.post(agent, coordinator.process, () => {
        const answer = question(coordinator.artifacts);
        grpc.network.post(coordinator.process, agent, () => resolve(answer));
      });
    });
  }

  async function upload({ agentId, key, artifact, path }: Upload): Promise<'stored' | Refusal> {
    if (!machine.has(path)) throw new LostFileError(`the file ${path} is gone`);
    const first = await ask((ways) => ways.begin(agentId, key, artifact));
    if (first !== 'wanted') return first;
    await new Promise<void>((resolve) => clock.after(transferMs(), agent, resolve));
    if (machine.get(path) !== artifact.sha256) throw new LostFileError(`the file ${path} was changed`);
    await ask((ways) => ways.finish(key, artifact));
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
      const sum = await ask((ways) => ways.read(key, artifact));
      if (sum === undefined) throw Object.assign(new Error('no such artifact'), { code: status.NOT_FOUND });
      await new Promise<void>((resolve) => clock.after(transferMs(), agent, resolve));
      machine.set(path, sum);
      return sum === artifact.sha256;
    },
  };
}
