/** Finds the sweep or the trial that a user's selector names. */
import { parseTrialSelector, trialSelector } from '../../lib/domain/selectors.ts';
import { AmbiguousError, BadInputError, NotFoundError } from '../../proto/errors.ts';
import { sweepNumber } from './dialect.ts';
import type { Reader } from './reader.ts';

/** The greatest character. A text that begins with a prefix sorts before the prefix plus this character. */
const LAST_CHARACTER = '\u{10ffff}';

/** The maximum number of trials that the error about an ambiguous selector lists. */
const MAX_CANDIDATES = 20;

export class Selectors {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /**
   * Returns the id of the sweep that the selector names. A selector is the id or the name of a sweep. A name selects
   * the newest sweep of that name. `last` and the empty string select the newest of all sweeps.
   * @throws {NotFoundError}
   */
  async findSweep(selector: string): Promise<string> {
    const found = await this.#selected(selector);
    if (found !== undefined) return `${found.id}`;
    const newest = await this.#reader.all<{ id: number; name: string }>(
      'select id, name from sweeps order by id desc limit 5',
    );
    if (newest.length === 0) throw new NotFoundError('there are no sweeps yet');
    const known = newest.map(({ id, name }) => `${id} (${name})`).join(', ');
    throw new NotFoundError(`there is no sweep ${JSON.stringify(selector)}; the newest are ${known}`);
  }

  /**
   * Finds a trial. The selector is a prefix of the trial's id, or `SWEEP/PREFIX`.
   * @param sweep the selector of the sweep; empty if the trial may belong to any sweep
   * @throws {NotFoundError | BadInputError}
   * @throws {AmbiguousError} if several trials match, in one sweep or in several sweeps
   */
  async findTrial(sweep: string, selector: string): Promise<{ sweepId: string; trialId: string }> {
    const sweepId = await this.#sweepOfTrial(sweep, selector);
    const { trial: prefix } = parseTrialSelector(selector);
    const matches = await this.#reader.all<{ sweep_id: number; id: string }>(
      `select sweep_id, trials.id from sweeps cross join trials
       where sweep_id = sweeps.id and trials.id >= ?1 and trials.id < ?2 ${sweepId && 'and sweeps.id = ?3'}
       order by sweep_id desc, trials.id limit ${MAX_CANDIDATES + 1}`,
      prefix,
      `${prefix}${LAST_CHARACTER}`,
      ...(sweepId === '' ? [] : [sweepId]),
    );
    const [match, other] = matches;
    if (match === undefined || prefix === '') {
      throw new NotFoundError(`there is no trial ${JSON.stringify(prefix)}${sweepId && ` in sweep ${sweepId}`}`);
    }
    if (other !== undefined) {
      const shown = matches.slice(0, MAX_CANDIDATES).map(({ sweep_id, id }) => trialSelector(`${sweep_id}`, id));
      const more = matches.length > MAX_CANDIDATES ? ', ...' : '';
      throw new AmbiguousError(`trial ${prefix} is ambiguous; choose one of ${shown.join(', ')}${more}`);
    }
    return { sweepId: `${match.sweep_id}`, trialId: match.id };
  }

  /** Returns the ids of the trials of a sweep whose ids begin with the prefix, at most `limit` of them. */
  async trialsWithPrefix(sweepId: string, prefix: string, limit: number): Promise<string[]> {
    const rows = await this.#reader.all<{ id: string }>(
      'select id from trials where sweep_id = ? and id >= ? and id < ? order by id limit ?',
      sweepId,
      prefix,
      `${prefix}${LAST_CHARACTER}`,
      limit,
    );
    return rows.map(({ id }) => id);
  }

  /** Returns the id of the sweep that `sweep` or `selector` names; empty if neither names a sweep. */
  async #sweepOfTrial(sweep: string, selector: string): Promise<string> {
    const named = parseTrialSelector(selector).sweep;
    const given = sweep === '' ? '' : await this.findSweep(sweep);
    if (named === undefined) return given;
    const found = await this.findSweep(named);
    if (given === '' || given === found) return found;
    throw new BadInputError(`${selector} is a trial of sweep ${found}, but the command names sweep ${given}`);
  }

  #selected(selector: string): Promise<{ id: number } | undefined> {
    if (selector === 'last' || selector === '')
      return this.#reader.get('select id from sweeps order by id desc limit 1');
    if (/^\d+$/.test(selector)) return this.#reader.get('select id from sweeps where id = ?', sweepNumber(selector));
    return this.#reader.get('select id from sweeps where name = ? order by id desc limit 1', selector);
  }
}
