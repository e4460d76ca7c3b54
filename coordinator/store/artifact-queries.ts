/** Reads the artifacts of attempts. */
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { NotFoundError } from '../../proto/errors.ts';
import type { Artifact } from '../../proto/gen/trawl/v1/types.ts';
import type { InheritedCheckpoint } from '../artifacts/inherited-checkpoints.ts';
import { PARENT_ATTEMPT } from '../core/population.ts';
import { sweepNumber } from './dialect.ts';
import type { Reader } from './reader.ts';
import { type ArtifactRow, artifactOf } from './rows.ts';

/** Whether the attempt of row `r` is hidden: another attempt ran at the same time, and provides the trial's results. */
const IS_HIDDEN = `exists (select 1 from attempts as a where a.sweep_id = r.sweep_id and a.trial_id = r.trial_id
  and a.number = r.attempt and a.speculative = 1)`;

/** The position of an artifact in the order of trial, attempt and name. */
export interface ArtifactPosition {
  readonly trialId: string;
  readonly attempt: number;
  readonly name: string;
}

const FIRST_ARTIFACT: ArtifactPosition = { trialId: '', attempt: 0, name: '' };

export class ArtifactQueries {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /**
   * Returns up to `limit` artifacts that follow the artifact `after`, in order of trial, attempt and name. If `trialId`
   * is empty, artifacts of all trials are returned. Checkpoints are omitted, and so are the artifacts of hidden
   * attempts (see `Attempt` in types.proto).
   */
  async page(
    sweepId: string,
    trialId: string,
    { after = FIRST_ARTIFACT, limit }: { readonly after?: ArtifactPosition; readonly limit: number },
  ): Promise<{ trialId: string; artifact: Artifact }[]> {
    const rows = await this.#reader.all<ArtifactRow>(
      `select * from artifacts as r where sweep_id = ?1 ${trialId && 'and trial_id = ?6'} and kind <> 'checkpoint'
           and not ${IS_HIDDEN} and (trial_id, attempt, name) > (?2, ?3, ?4) order by trial_id, attempt, name limit ?5`,
      sweepId,
      after.trialId,
      after.attempt,
      after.name,
      limit,
      ...(trialId === '' ? [] : [trialId]),
    );
    return rows.map((row) => ({ trialId: row.trial_id, artifact: artifactOf(row) }));
  }

  /**
   * Returns an artifact of a trial by name. Attempt 0 means the newest attempt that has such an artifact and is not
   * hidden (see `Attempt` in types.proto).
   * @throws {NotFoundError}
   */
  async get(sweepId: string, trialId: string, attempt: number, name: string): Promise<Artifact> {
    const row = await this.#reader.get<ArtifactRow>(
      `select * from artifacts as r where sweep_id = ?1 and trial_id = ?2 and name = ?4
         and (attempt = ?3 or (?3 = 0 and not ${IS_HIDDEN})) order by attempt desc limit 1`,
      sweepId,
      trialId,
      attempt,
      name,
    );
    if (row === undefined) throw new NotFoundError(`trial ${trialId} has no artifact ${JSON.stringify(name)}`);
    return artifactOf(row);
  }

  /** Returns the checkpoints that trials have inherited from their parents, in sweeps that have not ended. */
  inherited(): Promise<InheritedCheckpoint[]> {
    return this.#reader.all<InheritedCheckpoint>(
      `select cast(a.sweep_id as text) as "sweepId", a.trial_id as "trialId", t.parent, t.parent_attempt as attempt, a.name,
         a.size, a.sha256
       from sweeps as s cross join artifacts as a cross join trials as t
       where s.state in ('running', 'paused', 'stopping') and a.sweep_id = s.id and a.attempt = ${PARENT_ATTEMPT}
         and a.kind = 'checkpoint' and t.sweep_id = a.sweep_id and t.id = a.trial_id and t.parent <> ''`,
    );
  }

  /**
   * Returns whether the store has a row for the artifact `name` of an attempt.
   * @param sha256 if set, the row must have this checksum
   */
  async has({ sweepId, trialId, attempt }: AttemptKey, name: string, sha256?: string): Promise<boolean> {
    const sql = 'select sha256 from artifacts where sweep_id = ? and trial_id = ? and attempt = ? and name = ?';
    const row = await this.#reader.get<{ sha256: string }>(sql, sweepNumber(sweepId), trialId, attempt, name);
    return row !== undefined && (sha256 === undefined || row.sha256 === sha256);
  }

  /** Returns the number of an attempt's artifacts, checkpoints included. */
  async count({ sweepId, trialId, attempt }: AttemptKey): Promise<number> {
    const sql = 'select count(*) as n from artifacts where sweep_id = ? and trial_id = ? and attempt = ?';
    const row = await this.#reader.get<{ n: number }>(sql, sweepNumber(sweepId), trialId, attempt);
    return row?.n ?? 0;
  }
}
