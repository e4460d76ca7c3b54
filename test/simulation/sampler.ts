/**
 * Simulates the processes of optuna searches. A simulated process keeps a study as sampler.py does, suggests a point
 * that depends on the whole study, and fails at random. Each suggestion names the study that it depends on, so that the
 * study can be compared with the store.
 */
import { createHash } from 'node:crypto';
import type { Database } from 'libsql';
import type { Change } from '../../coordinator/core/step.ts';
import type { LineProcess, StartProcess } from '../../coordinator/search/optuna/process.ts';
import type { TestRandom } from '../support/random.ts';

/** The settings of simulated Optuna searches, which `SamplerInvariant` checks. */
export const SIMULATED_SEARCH = 'method: optuna\nrun_cap: 9\nseed: 5\n';

interface StudyTrial {
  readonly values: Readonly<Record<string, number>>;
  readonly state: string;
  readonly objectives?: readonly number[] | null;
}

interface Request {
  readonly settings?: {
    readonly seed: number;
    readonly parameters: readonly { readonly name: string; readonly low: number; readonly high: number }[];
  };
  readonly add: readonly StudyTrial[];
  readonly end: readonly (readonly [number, string, readonly number[] | null])[];
  readonly number: number;
}

/**
 * Returns a function that starts simulated processes.
 * @param reached called with the name of each failure that occurs
 */
export function simulatedSamplers(random: TestRandom, reached: (what: string) => void): StartProcess {
  return (_, { onLine, onEnd }) => {
    let settings: Request['settings'];
    let study: StudyTrial[] = [];
    let hasEnded = false;
    const later = (ms: number, work: () => void) => setTimeout(() => hasEnded || work(), ms);
    const fail = (what: string) => {
      reached(`a sampler ${what}`);
      hasEnded = true;
      onEnd(`the simulated sampler ${what}`);
    };
    function answer(request: Request): void {
      if (request.settings !== undefined) {
        settings = request.settings;
        study = [];
      }
      study.push(...request.add);
      for (const [position, state, objectives] of request.end) {
        const trial = study[position];
        if (trial !== undefined) study[position] = { ...trial, state, objectives };
      }
      const digest = createHash('sha256')
        .update(JSON.stringify([settings?.seed, request.number, study]))
        .digest();
      const values: Record<string, number> = {};
      for (const [at, { name, low, high }] of (settings?.parameters ?? []).entries()) {
        values[name] = low + (digest.readUInt32BE(4 * at) % (high - low + 1));
      }
      const attributes = JSON.stringify(study.map(({ values: chosen, objectives = null }) => [chosen, objectives]));
      study.push({ values, state: 'running' });
      onLine(JSON.stringify({ number: request.number, values, attributes }));
    }
    const process: LineProcess = {
      send(line) {
        const request = JSON.parse(line) as Request;
        const chance = random.next();
        const ms = random.between(5, 2_000);
        if (chance < 0.08) later(ms, () => fail('dies before its answer'));
        else if (chance < 0.12) later(ms, () => onLine('Traceback (most recent call last):'));
        else if (chance < 0.15) reached('a sampler hangs');
        else {
          later(ms, () => answer(request));
          if (chance > 0.92) later(ms + random.between(0, 1_000), () => fail('dies after its answer'));
        }
      },
      end() {
        hasEnded = true;
      },
    };
    return process;
  };
}

interface Durable {
  readonly values: Readonly<Record<string, number>>;
  readonly configId: string | undefined;
}

/**
 * Checks that each suggestion is stored exactly once, before its trial, and that it depends only on the durable study.
 */
export class SamplerInvariant {
  readonly #suggestions = new Map<string, Durable[]>();
  /** The states that occurred. */
  readonly reached = new Set<string>();

  /**
   * Called after each commit with the changes of the commit. Returns the violated invariant, if any.
   */
  take(changes: readonly Change[], db: Database): string | undefined {
    for (const change of changes) {
      const problem =
        change.kind === 'suggested'
          ? this.#suggested(change, db)
          : change.kind === 'created'
            ? this.#created(change, db)
            : undefined;
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  #suggested({ sweepId, suggestion }: Change & { kind: 'suggested' }, db: Database): string | undefined {
    const { number, configId, record } = suggestion;
    const before = this.#suggestions.get(sweepId) ?? [];
    this.#suggestions.set(sweepId, [...before, { values: record.values, configId }]);
    const name = `suggestion ${number} of sweep ${sweepId}`;
    if (number !== before.length) return `${name} is durable after ${before.length} suggestions`;
    // If the sampler repeats an earlier point, a random point is used instead. The random point depends on no study.
    if (record.attributes === '') return undefined;
    const study = JSON.parse(record.attributes) as [Durable['values'], readonly number[] | null][];
    if (study.length !== number) return `${name} depends on a study of ${study.length} trials`;
    for (const [at, [values, objectives]] of study.entries()) {
      const earlier = before[at];
      if (JSON.stringify(earlier?.values) !== JSON.stringify(values))
        return `${name} depends on another suggestion ${at}`;
      if (objectives === null) continue;
      this.reached.add('a suggestion that depends on a result');
      const row = db
        .prepare('select state, metrics from trials where sweep_id = ? and config_id = ?')
        .get(sweepId, earlier?.configId ?? '') as { state: string; metrics: string } | undefined;
      const metrics: Record<string, number> = JSON.parse(row?.metrics ?? '{}');
      const hasResult = row?.state === 'succeeded' || row?.state === 'stopped';
      if (hasResult && metrics.test_loss !== objectives[0]) {
        return `${name} depends on the result ${objectives[0]} of suggestion ${at}, which has ${row.metrics}`;
      }
    }
    return undefined;
  }

  #created({ sweepId, trial }: Change & { kind: 'created' }, db: Database): string | undefined {
    const { text } = db.prepare('select text from sweeps where id = ?').get(sweepId) as { text: string };
    if (!text.includes(SIMULATED_SEARCH)) return undefined;
    const isSuggested = this.#suggestions.get(sweepId)?.some(({ configId }) => configId === trial.configId);
    return isSuggested ? undefined : `trial ${trial.trialId} of sweep ${sweepId} has no durable suggestion`;
  }
}
