/** Formats the warnings of a sweep as text and JSON. */
import type { Sweep, SweepWarning } from '../../proto/gen/trawl/v1/types.ts';
import { warningKind } from '../../proto/names.ts';
import { isoTime } from './format.ts';

/** Returns a warning as printed with `-o json`. */
export function warningJson({ kind, message, count, sinceMs }: SweepWarning) {
  return { kind: warningKind.of(kind), message, count, since: isoTime(sinceMs) };
}

/** Returns one field per warning of a sweep. */
export function warningFields({ warnings }: Sweep): [name: string, value: string][] {
  return warnings.map(({ message }) => ['warning', message]);
}

/** Reports each warning of a sweep once, when it appears. */
export class WarningNotes {
  readonly #known = new Set<string>();
  readonly #note: (text: string) => void;

  constructor(note: (text: string) => void) {
    this.#note = note;
  }

  take({ id, warnings }: Sweep): void {
    for (const { kind, message, sinceMs } of warnings) {
      const key = `${kind} ${sinceMs}`;
      if (this.#known.has(key)) continue;
      this.#known.add(key);
      this.#note(`warning: sweep ${id}: ${message}`);
    }
  }
}
