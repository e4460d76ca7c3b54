/** Parses option values. Each parser throws an InvalidArgumentError with the expected form. */
import { InvalidArgumentError } from 'commander';
import { parseS3Location } from '../../coordinator/artifacts/s3-location.ts';
import { parsePostgresLocation } from '../../coordinator/store/postgres/location.ts';
import { parseDuration } from '../../lib/text/duration.ts';
import { type Labels, labelProblem, MAX_PACK, MAX_PRIORITY } from '../../proto/limits.ts';

const MAX_COUNT = 2 ** 32 - 1;

/** Parses a positive integer. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > MAX_COUNT) {
    throw new InvalidArgumentError('Expected a positive integer.');
  }
  return count;
}

/** Returns a parser of integers from 1 to `max`. */
export function countUpTo(max: number): (text: string) => number {
  return (text) => {
    const count = Number(text);
    if (!/^\d+$/.test(text) || count < 1 || count > max) {
      throw new InvalidArgumentError(`Expected an integer from 1 to ${max}.`);
    }
    return count;
  };
}

/**
 * Returns the value of --artifacts or, without the option, of TRAWL_ARTIFACT_STORE.
 * @throws {BadInputError} if the location is invalid
 */
export function artifactsLocation(option: string | undefined): string | undefined {
  return given(option, '--artifacts', 'TRAWL_ARTIFACT_STORE', parseS3Location);
}

/**
 * Returns the value of --store or, without the option, of TRAWL_STORE.
 * @throws {BadInputError} if the URL is invalid
 */
export function storeLocation(option: string | undefined): string | undefined {
  return given(option, '--store', 'TRAWL_STORE', parsePostgresLocation);
}

function given(
  option: string | undefined,
  name: string,
  variable: string,
  check: (text: string, name: string) => unknown,
): string | undefined {
  const text = option ?? (process.env[variable] || undefined);
  if (text !== undefined) check(text, option === undefined ? variable : name);
  return text;
}

/** Parses the path of a file or a folder. */
export function pathOption(text: string): string {
  if (text === '') throw new InvalidArgumentError('Expected a path.');
  return text;
}

/** Parses an integer from 0 to 999,999,999. */
export function parseCountOrZero(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Expected 0 or a positive integer.');
  return Number(text);
}

/**
 * Returns a parser of durations. It accepts durations from `leastMs` up to the longest delay that Node's timers
 * support.
 * @param least `leastMs` as text, for the error message
 */
export function durationFrom(leastMs: number, least: string): (text: string) => number {
  return (text) => {
    const ms = durationOption(text);
    if (ms < leastMs) throw new InvalidArgumentError(`Expected at least ${least}.`);
    return ms;
  };
}

/**
 * Parses a duration such as `90s` or `1h30m`, up to the longest delay that Node's timers support. Returns milliseconds.
 */
export function durationOption(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError('Expected a duration such as 90s, 15m, 1h30m or 1d, up to 24d.');
  return ms;
}

/** Parses an age such as `90s` or `365d`, without an upper limit. Returns milliseconds. */
export function ageOption(text: string): number {
  const ms = parseDuration(text, Number.MAX_SAFE_INTEGER);
  if (ms === undefined) throw new InvalidArgumentError('Expected a duration such as 90s, 2h, 1d or 365d.');
  return ms;
}

/** Parses a positive factor such as `10` or `0.5`. */
export function parseSpeed(text: string): number {
  const speed = Number(text);
  if (!(speed > 0) || !Number.isFinite(speed)) throw new InvalidArgumentError('Expected a number above 0, such as 10.');
  return speed;
}

/** Parses a sweep's priority: an integer from -MAX_PRIORITY to MAX_PRIORITY. */
export function parsePriority(text: string): number {
  const priority = Number(text);
  if (!/^[+-]?\d+$/.test(text) || Math.abs(priority) > MAX_PRIORITY) {
    throw new InvalidArgumentError(`Expected an integer from ${-MAX_PRIORITY} to ${MAX_PRIORITY}.`);
  }
  return priority;
}

/** Parses the size of a pack: `auto`, `off` (a pack of one) or an integer from 1 to MAX_PACK. */
export function parsePack(text: string): number | 'auto' {
  if (text === 'auto') return 'auto';
  if (text === 'off') return 1;
  const size = Number(text);
  if (/^\d+$/.test(text) && size >= 1 && size <= MAX_PACK) return size;
  throw new InvalidArgumentError(`Expected auto, off, or an integer from 1 to ${MAX_PACK}.`);
}

/** Parses a label `NAME=VALUE` and adds the label to the previous labels. */
export function addLabel(text: string, labels: Labels): Labels {
  const [, name, value] = /^([^=]*)=(.*)$/su.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('Expected NAME=VALUE, such as zone=a.');
  if (Object.hasOwn(labels, name)) throw new InvalidArgumentError(`Label ${name} is given twice.`);
  const all = { ...labels, [name]: value };
  const problem = labelProblem(all);
  if (problem !== undefined) throw new InvalidArgumentError(`${problem}.`);
  return all;
}
