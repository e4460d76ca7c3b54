/** Formats the differences between two versions of a sweep. */

import { countText, formatCount } from '../../lib/text/numbers.ts';
import { sweepStateText } from '../../lib/text/sweep-state.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import type { Sweep } from '../../proto/gen/trawl/v1/types.ts';
import type { VersionChanges } from '../../proto/gen/trawl/v1/sweep_service.ts';

function versionChangesText({ kept, added, dropped, droppedStarted, settings }: VersionChanges): string {
  const started =
    droppedStarted === 0 ? '' : `, of which ${formatCount(droppedStarted)} have started and keep their results`;
  const lines = [
    `kept     ${countText(kept, 'trial')}`,
    `added    ${countText(added, 'trial')}`,
    `dropped  ${countText(dropped, 'trial')}${started}`,
    ...settings.map(({ key, before, after }) => {
      return before === after ? `${key}: edited` : `${key}: ${before} → ${after}`;
    }),
  ];
  return `${lines.join('\n')}\n`;
}

/** Returns the differences of a file from the current version of a sweep. */
export function comparisonText(sweep: Sweep, changes: VersionChanges): string {
  const { id, name, version = 1 } = sweep;
  const heading = visibleText(`sweep ${id} (${name}, ${sweepStateText(sweep, Date.now())}), version ${version}`);
  if (!changes.differs) return `${heading}: the file has the same content\n`;
  return `${heading}\n${versionChangesText(changes)}`;
}

export function versionChangesJson(changes: VersionChanges): Record<string, unknown> {
  const { version, differs, kept, added, dropped, droppedStarted, settings } = changes;
  return { version, differs, kept, added, dropped, dropped_started: droppedStarted, settings };
}
