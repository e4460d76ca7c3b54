/** Reads from the store and returns wire messages. All returned rows are durable. */
import { ArtifactQueries } from './artifact-queries.ts';
import { AttemptQueries } from './attempt-queries.ts';
import type { Reader } from './reader.ts';
import { Selectors } from './selectors.ts';
import { type LiveFacts, SweepQueries } from './sweep-queries.ts';
import { TrialQueries } from './trial-queries.ts';

export interface QueryOptions {
  readonly isOffline?: boolean;
  readonly live?: Partial<LiveFacts>;
}

export class Queries {
  readonly selectors: Selectors;
  readonly sweeps: SweepQueries;
  readonly trials: TrialQueries;
  readonly attempts: AttemptQueries;
  readonly artifacts: ArtifactQueries;

  /**
   * @param isOffline true if no coordinator uses the store: sweeps, trials and attempts that have not ended are
   * returned as interrupted; default: false
   * @param live in-memory facts about sweeps; default: none
   */
  constructor(
    reader: Reader,
    {
      isOffline = false,
      live: {
        blocked = () => '',
        timeLeft = async () => undefined,
        slotTimeLeft = async () => undefined,
        slotShare = async () => undefined,
        slotTime = () => undefined,
      } = {},
    }: QueryOptions = {},
  ) {
    this.selectors = new Selectors(reader);
    this.sweeps = new SweepQueries(reader, isOffline, { blocked, timeLeft, slotTimeLeft, slotShare, slotTime });
    this.trials = new TrialQueries(reader, isOffline);
    this.attempts = new AttemptQueries(reader, isOffline);
    this.artifacts = new ArtifactQueries(reader);
  }
}
