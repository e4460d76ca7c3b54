/** Defines the schemas of value types that several keys of a sweep file share. The schemas include error messages. */
import * as z from 'zod';
import { DURATION_PATTERN, parseDuration } from '../../lib/text/duration.ts';
import { SIZE_PATTERN } from '../../lib/text/size.ts';

/** The maximum length of a text, in characters, unless its key has a limit of its own. */
const MAX_TEXT = 1_000;

export function whole(min: number, max: number) {
  const error = `expected a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

export function text(about: string) {
  const error = `expected ${about}`;
  return z
    .string({ error })
    .min(1, { error: `${error}, not empty` })
    .max(MAX_TEXT, { error: `expected at most ${MAX_TEXT} characters` });
}

export function line(about: string) {
  return text(about).regex(/^\P{Cc}*$/u, { error: 'expected text on one line' });
}

export function list<T extends z.ZodType>(item: T, about: string, max: number) {
  const error = `expected a list of ${about}`;
  return z.array(item, { error }).max(max, { error: `expected at most ${max} entries in the list` });
}

export function atLeastOne<T extends z.ZodType>(array: z.ZodArray<T>) {
  return array.min(1, { error: 'expected at least one value in the list' });
}

/** Returns a check that limits the number of entries of a mapping. */
export function atMost(maximum: number, entries: string) {
  return (mapping: Readonly<Record<string, unknown>>, context: z.RefinementCtx) => {
    if (Object.keys(mapping).length <= maximum) return;
    const message = `expected at most ${maximum} ${entries}`;
    context.addIssue({ code: 'too_big', origin: 'object', maximum, inclusive: true, message });
  };
}

export const finite = z.number({ error: 'expected a number' });

export const anyValue = z.unknown().superRefine((value, context) => {
  const text = longText(value);
  if (text) context.addIssue({ code: 'custom', message: `expected at most ${MAX_TEXT} characters` });
});

function longText(value: unknown): boolean {
  if (typeof value === 'string') return value.length > MAX_TEXT;
  return typeof value === 'object' && value !== null && Object.values(value).some(longText);
}

const durationError = 'expected a duration such as 90s, 2h or 1d, up to 24d';
export const duration = z
  .string({ error: durationError })
  .regex(DURATION_PATTERN, { error: durationError })
  .refine((written) => parseDuration(written) !== undefined, { error: durationError });

const sizeError = 'expected a size such as 8GiB or 512MiB';
export const size = z.string({ error: sizeError }).regex(SIZE_PATTERN, { error: sizeError });
