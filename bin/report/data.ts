/** Everything that a report is written from: plain data, gathered once. */
import type { Importance } from '../../coordinator/analysis/importance.ts';
import type { Judged } from '../../coordinator/analysis/verdict.ts';
import type { Plan } from '../../coordinator/grid/plan.ts';
import type { SweepSpec } from '../../coordinator/grid/spec.ts';
import type { Agent, Config, Report, Sweep, Trial } from '../../proto/gen/trawl/v1/types.ts';

export interface Reconstruction {
  readonly trialId: string;
  readonly attempt: number;
  readonly epoch: number;
  readonly png: Uint8Array;
}

export interface ReportData {
  readonly version: string;
  readonly sweep: Sweep;
  /** The sweep file, as it was submitted. */
  readonly text: string;
  readonly spec: SweepSpec;
  readonly plan: Plan;
  /** In order of rank by the sweep's metric; those without a value last. */
  readonly configs: readonly Config[];
  /** In the sweep's order. */
  readonly trials: readonly Trial[];
  /** By the trial's id, an entry an epoch. */
  readonly curves: ReadonlyMap<string, readonly Report[]>;
  readonly judged: readonly Judged[];
  /** The file whose hypotheses were judged in place of the sweep's own. */
  readonly judgedFile: string | undefined;
  /** Metrics that the judged hypotheses speak of, in their order. */
  readonly judgedMetrics: readonly string[];
  /** Undefined while no trial has a result, or no parameter varies. */
  readonly importance: Importance | undefined;
  /** By the trial's id, of its last epoch. */
  readonly reconstructions: ReadonlyMap<string, Reconstruction>;
  readonly agents: readonly Agent[];
}
