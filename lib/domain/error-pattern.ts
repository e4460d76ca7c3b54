/** Recognizes errors that differ only in a number, an address or a path. */

/** A number after one of these words names the kind of error, as in `exited with code 137` or `[Errno 28]`. */
const KEPT = /\b(?:code|errno|error|signal|status)[ :=]+-?\d+\b/;
const URL = /\b[a-z][a-z\d+.-]*:\/\/[^\s'"<>)\]]+/;
const UUID = /\b[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}\b/;
const HEXADECIMAL = /\b0x[\da-f]+\b|\b(?=[a-f]*\d)[\da-f]{8,}\b/;
/** A Unix path, absolute or relative, with at least one separator; or an absolute Windows path. */
const PATH = /(?:[a-z]:\\|\\\\)[^\s'"<>:,;)\]]+|[\w.@%+~-]*\/[\w.@%+~/-]*\w/;
const NUMBER = /[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?/;

/**
 * Only this many characters of an error are compared. The time to match a word with the regular expression below grows
 * with the square of the length of the word.
 */
const MAX_LENGTH = 500;

const PARTS = new RegExp(
  `(?<kept>${KEPT.source})|(?<place>${URL.source}|${PATH.source})|${UUID.source}|${HEXADECIMAL.source}|${NUMBER.source}`,
  'gi',
);

/**
 * Returns an error in which placeholders replace numbers, identifiers, memory addresses, network addresses, URLs and
 * paths. Errors with equal patterns count as one error. Exit codes, signal numbers and the codes of errors are kept.
 * Example: `bad batch 17 in /data/a.npz` becomes `bad batch # in PATH`.
 */
export function errorPattern(error: string): string {
  return error.slice(0, MAX_LENGTH).replaceAll(PARTS, (text, ...rest) => {
    const { kept, place }: { kept?: string; place?: string } = rest.at(-1);
    return kept !== undefined ? text : place !== undefined ? 'PATH' : '#';
  });
}
