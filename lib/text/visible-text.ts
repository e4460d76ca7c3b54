/**
 * Escapes untrusted text (names, parameters, error messages, host names) for a terminal. Control characters are shown
 * instead of interpreted, so that a sweep's name cannot clear the screen, change the title or reorder a line.
 */

const CONTROL_PICTURES = 0x2400;
const DELETE = 0x7f;
const DELETE_PICTURE = '\u2421';

/**
 * Matches control characters (C0, DEL and C1), line and paragraph separators, invisible and bidirectional formatting
 * characters, lone surrogates, and characters that XML forbids.
 */
const UNSAFE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern must match control characters
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]|\p{Surrogate}/gu;

function visible(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCodePoint(CONTROL_PICTURES + code);
  if (code === DELETE) return DELETE_PICTURE;
  return `\\u{${code.toString(16)}}`;
}

/** Returns the text on one line, with every control character escaped. */
export function visibleText(text: string): string {
  return text.replace(UNSAFE, visible);
}

/** Does the same as `visibleText`, but keeps line breaks and tabs, for messages and logs of several lines. */
export function visibleLines(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(UNSAFE, (c) => (c === '\n' || c === '\t' ? c : visible(c)));
}

/** Returns the first line of a message. The other lines of a failure's message can contain output of the program. */
export function firstLine(text: string): string {
  return text.trimStart().split(/[\r\n]/, 1)[0] ?? '';
}
