/** Runs one cell: one peer, one kind of work, one number of slots. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PostgresServer, postgresMissing } from '../../test/support/postgres-server.ts';
import type { KillRun, Run } from './figures.ts';
import { KILL_LIMIT_S, KILL_SLOTS, KILL_TRIALS } from './options.ts';
import { isImpossible, type Kill, type Peer, type ProgramSettings, type TrialWork } from './peer.ts';
import { memoryBytes } from './process-tree.ts';
import { Program, programCommand } from './program.ts';

const START_LIMIT_MS = 120_000;
const SAMPLE_MS = 1_000;
const POLL_MS = 20;
/** The kill happens when this share of the trials has finished. */
const KILL_SHARE = 1 / 3;

/** The interpreters and files on this machine that the measurement of a cell uses. */
export interface Machine {
  /** The interpreter that has the packages of the peer. */
  readonly python: string;
  /** The interpreter that has PyTorch. */
  readonly torch: string;
  readonly images: string;
}

interface Place {
  readonly settings: (given: Partial<ProgramSettings>) => ProgramSettings;
  /** The process ids of the database server. */
  readonly servers: readonly number[];
}

/** Runs `work` in a new folder, with a database if the peer needs one. */
async function inPlace<T>(peer: Peer, machine: Machine, work: (place: Place) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'trawl-peers-'));
  let server: PostgresServer | undefined;
  try {
    if (peer.database) {
      const missing = postgresMissing();
      if (missing !== undefined) throw new Error(missing);
      server = await PostgresServer.start({ fsync: true });
    }
    const database = (await server?.createDatabase('peers'))?.replace('postgres:', 'postgresql:') ?? null;
    const base = { folder, images: machine.images, python: machine.torch, variant: peer.variant, database };
    const defaults = { ...base, work: 'noop', trials: 1, slots: 1, log: null, resume: false } as const;
    return await work({
      settings: (given) => ({ ...defaults, ...given }),
      servers: server === undefined ? [] : [server.pid],
    });
  } finally {
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function startProgram(peer: Peer, settings: ProgramSettings, python: string, servers: readonly number[]) {
  const begun = performance.now();
  const program = new Program(programCommand(peer, settings, python), servers);
  if ((await program.message('ready', START_LIMIT_MS)) === undefined) {
    await program.stop();
    throw new Error(`did not start: ${program.errors()}`);
  }
  return { program, startS: (performance.now() - begun) / 1000 };
}

export interface CellOptions {
  readonly work: TrialWork;
  readonly slots: number;
  readonly trials: number;
  readonly round: number;
  readonly limitS: number;
}

/**
 * Measures one cell.
 * @throws {Error} when the peer does not start, or ends without a result
 */
export function measure(peer: Peer, machine: Machine, options: CellOptions): Promise<Run> {
  const { work, slots, trials, round, limitS } = options;
  return inPlace(peer, machine, async ({ settings, servers }) => {
    const { program, startS } = await startProgram(peer, settings({ work, slots, trials }), machine.python, servers);
    try {
      let peakBytes = 0;
      const sample = () => {
        peakBytes = Math.max(peakBytes, memoryBytes(program.processes()));
      };
      const cpuBefore = program.cpuS();
      const begun = performance.now();
      program.go();
      const sampling = setInterval(sample, SAMPLE_MS);
      const end = await program.message('end', limitS * 1000);
      const wallS = (performance.now() - begun) / 1000;
      const cpuS = program.cpuS() - cpuBefore;
      clearInterval(sampling);
      if (end === undefined && program.isOver) throw new Error(`ended early: ${program.errors()}`);
      sample();
      const last = end && (await program.message('points', START_LIMIT_MS));
      const points = last?.points;
      const finished = points?.length ?? program.finished;
      return {
        ...{ peer: peer.name, work, slots, round, trials, startS, wallS, cpuS, peakBytes, finished },
        distinct: points && new Set(points).size,
        isLimited: end === undefined,
        note: last?.note ?? undefined,
      };
    } finally {
      await program.stop();
    }
  });
}

/**
 * Kills processes of a peer in the middle of its work, waits for the end of the work, and counts the points that have a
 * result.
 * @throws {Error} when the peer does not start, does not resume, or has no process to kill
 */
export function measureKill(peer: Peer, machine: Machine, killed: 'worker' | 'controller'): Promise<KillRun> {
  const kill = peer[killed];
  if (isImpossible(kill)) throw new Error(kill.reason);
  return inPlace(peer, machine, async ({ settings, servers }) => {
    const given = settings({ work: 'sleep', slots: KILL_SLOTS, trials: KILL_TRIALS });
    const log = join(given.folder, 'completed.log');
    const started = await startProgram(peer, { ...given, log }, machine.python, servers);
    let { program } = started;
    try {
      program.go();
      const finishedAtKill = await finishedTrials(program, log, KILL_TRIALS * KILL_SHARE);
      killProcesses(program, kill);
      const begun = performance.now();
      const limitMs = KILL_LIMIT_S * 1000;
      if (kill.resumes) {
        await program.stop();
        const resumed = await startProgram(peer, { ...given, log, resume: true }, machine.python, servers);
        program = resumed.program;
        program.go();
      }
      const last = await program.message('points', limitMs);
      const recoveryS = (performance.now() - begun) / 1000;
      if (last?.points === undefined && program.isOver) throw new Error(`ended early: ${program.errors()}`);
      const points = last?.points;
      const distinct = points && new Set(points).size;
      const completed = completedPoints(log);
      return {
        ...{ peer: peer.name, killed, trials: KILL_TRIALS, finishedAtKill, recoveryS, how: kill.how },
        lost: distinct === undefined ? undefined : KILL_TRIALS - distinct,
        duplicates: points && distinct !== undefined ? points.length - distinct : undefined,
        completed: new Set(completed).size,
        repeated: completed.length - new Set(completed).size,
      };
    } finally {
      await program.stop();
    }
  });
}

/** Waits until at least `wanted` trials have completed their work. Returns how many have completed it. */
async function finishedTrials(program: Program, log: string, wanted: number): Promise<number> {
  const deadline = performance.now() + START_LIMIT_MS;
  for (;;) {
    const count = completedPoints(log).length;
    if (count >= wanted) return count;
    if (program.isOver) throw new Error(`ended before the kill: ${program.errors()}`);
    if (performance.now() > deadline)
      throw new Error(`only ${count} trials finished within ${START_LIMIT_MS / 1000} s, so no process was killed`);
    await sleep(POLL_MS);
  }
}

function completedPoints(log: string): number[] {
  return existsSync(log) ? readFileSync(log, 'utf8').split('\n').filter(Boolean).map(Number) : [];
}

function killProcesses(program: Program, { processes, all }: Kill): void {
  const matching = program.processes().filter(({ command }) => processes.test(command));
  if (matching.length === 0) throw new Error(`no process to kill matches ${processes}`);
  for (const { pid } of all ? matching : matching.slice(0, 1)) process.kill(pid, 'SIGKILL');
}
