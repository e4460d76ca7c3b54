/**
 * Runs the steps of `npm run bench:gpu -- --all`, each within its own time limit, and reports each result immediately.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * `could not run`: something that the step needs is missing, such as a GPU, or the time limit of all steps together has
 * expired.
 */
type Outcome = 'PASS' | 'FAIL' | 'could not run';

interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

export interface StepReport {
  readonly name: string;
  readonly title: string;
  readonly limitS: number;
  readonly state: 'not started' | 'running' | Outcome;
  /** One sentence: what the step found, or why it failed or could not run. */
  readonly reason: string;
  readonly seconds: number;
  readonly lines: readonly string[];
  readonly table: Table | undefined;
}

/** Adds findings to the report while a step runs, so that they remain if the step does not end. */
export interface StepLog {
  line(text: string): void;
  /** Adds a row to the step's table. */
  row(...cells: readonly (string | number)[]): void;
  /** Aborted when the time limit of the step is exceeded. The step must then end its processes. */
  readonly signal: AbortSignal;
}

export interface Step {
  readonly name: string;
  readonly title: string;
  readonly limitS: number;
  /** Columns of the step's table; none by default. */
  readonly columns?: readonly string[];
  /**
   * Resolves to the result in one sentence.
   * @throws {CouldNotRun} if something is missing
   * @throws {Error} if the step failed
   */
  run(log: StepLog): Promise<string>;
}

/** Thrown by a step if something that it needs is missing. */
export class CouldNotRun extends Error {}

/** After a step's time limit, the runner waits at most this many milliseconds for the step to end its processes. */
const ENDING_MS = 3_000;

/**
 * Runs the steps in order. A step that fails does not affect the others. A step that has not started when the time
 * limit of all steps together expires is reported as `could not run`.
 * @param totalS the time limit of all steps together, in seconds
 * @param onReport called with all reports whenever one of them changes
 * @param now returns the current time in milliseconds
 */
export async function runSteps(
  steps: readonly Step[],
  totalS: number,
  onReport: (reports: readonly StepReport[]) => void,
  now = () => performance.now(),
): Promise<readonly StepReport[]> {
  const end = now() + totalS * 1000;
  const reports: StepReport[] = steps.map(({ name, title, limitS, columns }) => ({
    ...{ name, title, limitS, state: 'not started', reason: '', seconds: 0, lines: [] },
    table: columns && { columns, rows: [] },
  }));
  for (const [at, step] of steps.entries()) {
    const update = (change: Partial<StepReport>) => {
      const report = reports[at];
      if (report !== undefined) reports[at] = { ...report, ...change };
      onReport([...reports]);
    };
    const leftMs = end - now();
    if (leftMs <= 0) {
      update({ state: 'could not run', reason: `the time limit of ${totalS} s for all steps had expired` });
      continue;
    }
    await runStep(step, Math.min(step.limitS * 1000, leftMs), update, () => reports[at]);
  }
  return reports;
}

async function runStep(
  step: Step,
  limitMs: number,
  update: (change: Partial<StepReport>) => void,
  current: () => StepReport | undefined,
): Promise<void> {
  const start = performance.now();
  const seconds = () => Math.round((performance.now() - start) / 100) / 10;
  const limit = new AbortController();
  let isOver = false;
  const addFinding = (change: (report: StepReport) => Partial<StepReport>) => {
    const report = current();
    if (report !== undefined && !isOver) update({ ...change(report), seconds: seconds() });
  };
  const log: StepLog = {
    line: (text) => addFinding(({ lines }) => ({ lines: [...lines, text] })),
    row: (...cells) => addFinding(({ table }) => ({ table: table && { ...table, rows: [...table.rows, cells] } })),
    signal: limit.signal,
  };
  update({ state: 'running' });
  const work = step.run(log).then(
    (reason) => ({ state: 'PASS' as const, reason }),
    (error: unknown) => ({
      state: error instanceof CouldNotRun ? ('could not run' as const) : ('FAIL' as const),
      reason: error instanceof Error ? error.message : String(error),
    }),
  );
  const timer = new AbortController();
  const late = sleep(limitMs, undefined, { signal: timer.signal }).then(
    () => 'late' as const,
    () => 'ended' as const,
  );
  const first = await Promise.race([work, late]);
  timer.abort();
  if (typeof first === 'string') {
    limit.abort(new Error('the time limit was exceeded'));
    await Promise.race([work, sleep(ENDING_MS)]);
  }
  isOver = true;
  const result =
    typeof first === 'string'
      ? { state: 'FAIL' as const, reason: `exceeded its time limit of ${Number((limitMs / 1000).toFixed(1))} s` }
      : first;
  update({ ...result, seconds: seconds() });
}
