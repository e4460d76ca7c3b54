/** Formats the differences between two versions of a sweep. */

import { countText, formatCount } from '../../lib/text/numbers.ts';
import type { VersionChanges } from '../../proto/gen/trawl/v1/sweep_service.ts';

export function versionChangesText({ kept, added, dropped, droppedStarted, settings }: VersionChanges): string {
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

export function versionChangesJson(changes: VersionChanges): Record<string, unknown> {
  const { version, differs, kept, added, dropped, droppedStarted, settings } = changes;
  return { version, differs, kept, added, dropped, dropped_started: droppedStarted, settings };
}
