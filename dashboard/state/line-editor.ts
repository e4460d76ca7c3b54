/** Edits one line of text as a shell does. */

export interface EditedLine {
  readonly text: string;
  /** The position of the cursor, in characters. */
  readonly at: number;
}

/**
 * Returns the line after a key press. Keys that edit nothing, such as Enter, leave the line unchanged.
 * @param key a name that `keyNames` returns
 */
export function editLine(line: EditedLine, key: string): EditedLine {
  const before = [...line.text].slice(0, line.at);
  const after = [...line.text].slice(line.at);
  switch (key) {
    case 'left':
      return { text: line.text, at: Math.max(0, line.at - 1) };
    case 'right':
      return { text: line.text, at: Math.min(before.length + after.length, line.at + 1) };
    case 'home':
    case 'ctrl-a':
      return { text: line.text, at: 0 };
    case 'end':
    case 'ctrl-e':
      return { text: line.text, at: before.length + after.length };
    case 'backspace':
      return joined(before.slice(0, -1), after);
    case 'ctrl-u':
      return joined([], after);
    case 'ctrl-k':
      return joined(before, []);
    case 'ctrl-w':
      return joined([...before.join('').replace(/\S*\s*$/u, '')], after);
    case 'space':
      return joined([...before, ' '], after);
    default:
      return NAMED_KEYS.has(key) || key.startsWith('ctrl-') ? line : joined([...before, ...key], after);
  }
}

const joined = (before: readonly string[], after: readonly string[]): EditedLine => ({
  text: [...before, ...after].join(''),
  at: before.length,
});

const NAMED_KEYS: ReadonlySet<string> = new Set(['up', 'down', 'pageup', 'pagedown', 'tab', 'enter', 'escape']);

/**
 * Extends the word before the cursor to the longest common prefix of the candidates that start with it. A single such
 * candidate is completed, and a space is added.
 * @param candidates the valid words at the cursor
 */
export function completeWord(line: EditedLine, candidates: readonly string[]): EditedLine {
  const before = [...line.text].slice(0, line.at).join('');
  const word = /[^\s()!<>=~]*$/u.exec(before)?.[0] ?? '';
  const found = candidates.filter((candidate) => candidate.startsWith(word));
  const [first = ''] = found;
  const common = found.reduce((shared, one) => {
    let length = 0;
    while (length < shared.length && shared[length] === one[length]) length++;
    return shared.slice(0, length);
  }, first);
  const end = found.length === 1 ? ' ' : '';
  const added = common.slice(word.length) + end;
  return joined([...before, ...added], [...line.text].slice(line.at));
}
