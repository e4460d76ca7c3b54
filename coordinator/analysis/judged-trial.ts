/** A trial as hypotheses and importance look at it. */
import type { TrialStateName } from '../../proto/names.ts';
import type { Parameters } from '../../proto/trainers.ts';

export interface JudgedTrial {
  readonly id: string;
  readonly configId: string;
  readonly seed: number;
  readonly parameters: Parameters;
  readonly state: TrialStateName;
  /** Of its latest report. */
  readonly metrics: Readonly<Record<string, number>>;
  /** One entry an epoch, in order. */
  readonly curve: readonly { readonly epoch: number; readonly metrics: Readonly<Record<string, number>> }[];
}
