/**
 * Text from outside (names, parameters, error messages, host names) before it reaches a terminal: control characters are
 * shown, never obeyed, so that a sweep's name cannot clear the screen, change the title or reorder the line it is on.
 */

const CONTROL_PICTURES = 0x2400;
const DELETE = 0x7f;
const DELETE_PICTURE = '\u2421';

/**
 * C0, DEL, C1, line and paragraph separators, invisible and bidirectional formatting characters, lone surrogates, and
 * what XML has no place for.
 */
const UNSAFE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what the function is about
  /[\u0000-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]|\p{Surrogate}/gu;

function visible(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCodePoint(CONTROL_PICTURES + code);
  if (code === DELETE) return DELETE_PICTURE;
  return `\\u{${code.toString(16)}}`;
}

/** The text on one line, with nothing in it that a terminal acts on. */
export function visibleText(text: string): string {
  return text.replace(UNSAFE, visible);
}

/** As `visibleText`, but line breaks and tabs stay: for messages and logs of several lines. */
export function visibleLines(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(UNSAFE, (c) => (c === '\n' || c === '\t' ? c : visible(c)));
}
