/**
 * Models a worker process (agent/worker/main.ts and agent/supervisor/worker-process.ts). The worker lets time pass
 * instead of training, sends reports, keeps checkpoints and a model, and dies with its agent.
 */

import { keptFile } from '../../agent/folders.ts';
import { STOP_GRACE_MS, type WorkerEvents } from '../../agent/supervisor/worker-process.ts';
import type { Worker } from '../../agent/supervisor/workers.ts';
import type { Assignment, FromAttempt, FromWorker } from '../../agent/worker/ipc.ts';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import type { ArtifactKindName } from '../../proto/names.ts';
import type { TestRandom } from '../support/random.ts';
import type { MachineFiles } from './artifact-transfers.ts';
import type { Clock, Timer } from './clock.ts';
import type { SimulatedProcess } from './process.ts';
import { lossAt, type PlannedEnd, sumAt } from './training.ts';

/** All messages take the same time, so that the messages stay in order. */
const IPC_MS = 1;

export interface WorkerWorld {
  readonly clock: Clock;
  readonly random: TestRandom;
  readonly files: MachineFiles;
  /** The number of trials in a pack. */
  readonly pack: number;
  plannedEnd(assignment: Assignment): PlannedEnd;
  /** The factor by which training is slower than usual. */
  slowness(assignment: Assignment): number;
  /** Called when the worker begins to run the attempt. */
  onRun(key: AttemptKey): void;
  /** Whether the agent has recorded the return of the attempt on its disk. */
  hasReturned(key: AttemptKey): boolean;
  /** Reports a violated invariant. */
  violated(invariant: string): void;
}

export class SimulatedWorker implements Worker {
  readonly pid = undefined;
  readonly #world: WorkerWorld;
  readonly #agent: SimulatedProcess;
  readonly #events: WorkerEvents;
  /** The running attempts by name. Hung attempts do not react to stop requests. */
  readonly #attempts = new Map<string, { readonly hung: boolean }>();
  readonly #killers = new Map<string, Timer>();
  #alive = true;

  constructor(world: WorkerWorld, agent: SimulatedProcess, events: WorkerEvents) {
    this.#world = world;
    this.#agent = agent;
    this.#events = events;
    this.#later(world.random.between(50, 1_500), () =>
      events.onMessage({ kind: 'ready', backend: 'wasm', pack: world.pack }),
    );
  }

  get alive(): boolean {
    return this.#alive;
  }

  run(assignments: readonly Assignment[]): void {
    this.#later(IPC_MS, () => this.#begin(assignments));
  }

  stop(key: AttemptKey): void {
    this.#later(IPC_MS, () => this.#stop(key));
    const killer = this.#world.clock.after(STOP_GRACE_MS, this.#agent, () => this.kill());
    this.#killers.set(keyText(key), killer);
  }

  kill(): void {
    this.#exit('was killed by SIGKILL');
  }

  #begin(assignments: readonly Assignment[]): void {
    const [running] = this.#attempts.keys();
    if (running !== undefined) this.#world.violated(`a slot starts further attempts while ${running} runs`);
    this.#sendToAgent({ kind: 'started', keys: assignments.map(({ key }) => key) });
    for (const assignment of assignments) {
      const name = keyText(assignment.key);
      this.#world.onRun(assignment.key);
      if (this.#world.hasReturned(assignment.key)) this.#world.violated(`${name} starts after it was returned`);
      if (assignment.trainer === 'command' && assignments.length > 1) {
        this.#world.violated(`trial ${assignment.key.trialId} must be trained alone, but is in a pack`);
      }
      this.#attempts.set(keyText(assignment.key), { hung: false });
      this.#checkResume(assignment);
      const from = assignment.resume?.epoch ?? 0;
      this.#train(assignment, from, this.#world.plannedEnd(assignment));
    }
  }

  #train(assignment: Assignment, done: number, plannedEnd: PlannedEnd): void {
    const { key, parameters } = assignment;
    const epochs = Number(parameters.epochs);
    const durationMs = Number(parameters.duration_ms);
    this.#later(this.#world.random.between(0.7, 1.3) * durationMs * this.#world.slowness(assignment), () => {
      if (!this.#attempts.has(keyText(key))) return;
      if (plannedEnd.kind !== 'well' && done + 1 >= plannedEnd.atEpoch) return this.#endAsPlanned(key, plannedEnd);
      const epoch = done + 1;
      if (this.#world.random.next() < 0.3) this.#events.onLog(`epoch ${epoch}\n`);
      const metrics = { test_loss: lossAt(key.trialId, epoch), attempt: key.attempt };
      this.#emit(key, { kind: 'report', epoch, metrics });
      if (epoch < epochs) {
        if (assignment.checkpointEvery > 0 && epoch % assignment.checkpointEvery === 0) {
          this.#keep(assignment, 'checkpoint', epoch);
        }
        return this.#train(assignment, epoch, plannedEnd);
      }
      this.#keep(assignment, 'model', epoch);
      this.#end(key, { kind: 'done' });
    });
  }

  #endAsPlanned(key: AttemptKey, plannedEnd: Exclude<PlannedEnd, { kind: 'well' }>): void {
    switch (plannedEnd.kind) {
      case 'exit':
        this.#exit('exited with code 1');
        break;
      case 'hang':
        this.#attempts.set(keyText(key), { hung: true });
        break;
      default:
        this.#end(key, { kind: 'failed', class: plannedEnd.kind, message: 'simulated failure' });
    }
  }

  #keep({ key, folder }: Assignment, kind: ArtifactKindName, epoch: number): void {
    const name = kind === 'checkpoint' ? `checkpoint-${epoch}` : kind;
    const sha256 = sumAt(kind, key.trialId, epoch);
    this.#world.files.set(keptFile(folder, name), sha256);
    this.#emit(key, { kind: 'artifact', artifact: { name, kind, epoch, size: 1, sha256 } });
  }

  #checkResume({ key, resume }: Assignment): void {
    if (resume === undefined) return;
    const { inherited = false } = resume;
    const sum = this.#world.files.get(resume.path);
    if (inherited ? sum === undefined : sum !== sumAt('checkpoint', key.trialId, resume.epoch)) {
      this.#world.violated(
        `attempt ${keyText(key)} resumed from a file that is not its trial's checkpoint ${resume.epoch}`,
      );
    }
  }

  #stop(key: AttemptKey): void {
    const attempt = this.#attempts.get(keyText(key));
    if (attempt?.hung) return;
    this.#attempts.delete(keyText(key));
    this.#later(attempt === undefined ? 0 : this.#world.random.between(1, 300), () =>
      this.#emit(key, { kind: 'stopped' }),
    );
  }

  #end(key: AttemptKey, how: FromAttempt): void {
    this.#attempts.delete(keyText(key));
    this.#emit(key, how);
  }

  #emit(key: AttemptKey, message: FromAttempt): void {
    this.#sendToAgent({ key, ...message });
  }

  #sendToAgent(message: FromWorker): void {
    // Messages sent before the worker died still arrive, so this method does not use #later.
    this.#world.clock.after(IPC_MS, this.#agent, () => {
      if (message.kind === 'stopped') this.#cancelKill(message.key);
      this.#events.onMessage(message);
    });
  }

  #cancelKill(key: AttemptKey): void {
    const killer = this.#killers.get(keyText(key));
    if (killer !== undefined) killer.work = undefined;
  }

  #exit(how: string): void {
    if (!this.#alive) return;
    this.#alive = false;
    for (const killer of this.#killers.values()) killer.work = undefined;
    this.#world.clock.after(2 * IPC_MS, this.#agent, () => this.#events.onExit(how));
  }

  /** Runs `work` later, unless the worker is dead by then. */
  #later(ms: number, work: () => void): void {
    this.#world.clock.after(ms, this.#agent, () => {
      if (this.#alive) work();
    });
  }
}
