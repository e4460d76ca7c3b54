import type { ReportData } from '../data.ts';
import type { Section } from '../document.ts';

/** Returns the section with the warnings of the sweep; undefined if the sweep has no warnings. */
export function warningsSection({ sweep: { warnings } }: ReportData): Section | undefined {
  if (warnings.length === 0) return undefined;
  const blocks = warnings.map(({ message }) => ({
    kind: 'note' as const,
    text: `${message}.`.replace(/([.?!])\.$/, '$1'),
  }));
  return { id: 'warnings', title: 'Warnings', blocks };
}
