/** What one look of `trawl doctor` came to. */
export interface Finding {
  /** What was looked at, such as `nats-server`. */
  readonly name: string;
  /** `missing`: not here or not usable; `warning`: usable, but worth knowing. */
  readonly state: 'ok' | 'missing' | 'warning';
  readonly detail: string;
  /** How to mend it, in one line or several; always there when a sweep needs it. */
  readonly mend?: string;
  /** Whether no sweep can run here without it. */
  readonly needed: boolean;
}

/** The findings for which no sweep can run here. */
export function faults(findings: readonly Finding[]): readonly Finding[] {
  return findings.filter(({ state, needed }) => needed && state === 'missing');
}
