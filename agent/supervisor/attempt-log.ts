/**
 * Limits the log of an attempt. The first characters are sent immediately. The rest is kept back, and its last characters
 * are sent when the attempt ends. There is no I/O in this file.
 */

/** The number of characters that are sent immediately. */
export const LOG_HEAD_CHARACTERS = 200_000;
/** The maximum number of characters that are sent at the end. */
export const LOG_TAIL_CHARACTERS = 800_000;
const LOG_RECORD_CHARACTERS = 100_000;

export interface AttemptLog {
  /** Whether the worker has reported that it received the attempt. */
  isStarted: boolean;
  /** The output that the worker printed before it received the attempt, such as output of the previous attempt. */
  early: string;
  /** The number of characters of the log so far. */
  characters: number;
  /** The last characters of the log, without the characters that were sent immediately. */
  tail: string;
}

export function newAttemptLog(): AttemptLog {
  return { isStarted: false, early: '', characters: 0, tail: '' };
}

/**
 * Records that the worker has received the attempt.
 * @returns the text to send; may be empty
 */
export function startLog(log: AttemptLog): string {
  log.isStarted = true;
  const text = log.early;
  log.early = '';
  return addOutput(log, text);
}

/**
 * Adds output of the worker. Until `startLog` is called, the output is kept back.
 * @returns the text to send; may be empty
 */
export function addOutput(log: AttemptLog, text: string): string {
  if (!log.isStarted) {
    log.early = (log.early + text).slice(-LOG_HEAD_CHARACTERS);
    return '';
  }
  const head = text.slice(0, Math.max(0, LOG_HEAD_CHARACTERS - log.characters));
  log.characters += text.length;
  log.tail += text.slice(head.length);
  // The tail is truncated only when it exceeds twice its limit, so that the average cost per character is constant.
  if (log.tail.length > 2 * LOG_TAIL_CHARACTERS) log.tail = log.tail.slice(-LOG_TAIL_CHARACTERS);
  return head;
}

/** Removes the end of the log, and returns it in parts, each of which fits into one record. */
export function takeTail(log: AttemptLog): string[] {
  const text = log.tail.slice(-LOG_TAIL_CHARACTERS);
  const missing = log.characters - LOG_HEAD_CHARACTERS - text.length;
  const note = missing > 0 ? `\n[trawl] ${missing} characters of the log are missing here\n` : '';
  log.tail = '';
  const parts: string[] = [];
  for (let rest = `${note}${text}`; rest !== ''; rest = rest.slice(LOG_RECORD_CHARACTERS)) {
    parts.push(rest.slice(0, LOG_RECORD_CHARACTERS));
  }
  return parts;
}
