/** Formats the differences between two versions of a sweep. */

import { countText, formatCount } from '../../lib/text/numbers.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import type { VersionChanges } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { sweepJson } from './json.ts';

export type VersionChangesJson = ReturnType<typeof versionChangesJson>;

function changeLines({ kept, added, dropped, dropped_started: droppedStarted, settings }: VersionChangesJson): string {
  const started = droppedStarted === 0 ? '' : ` (${formatCount(droppedStarted)} already started; results are kept)`;
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

/** Returns the differences between the current version of a sweep and a file, as lines of text. */
export function versionChangesText(
  { sweep, name, state, version }: Pick<ReturnType<typeof sweepJson>, 'sweep' | 'name' | 'state' | 'version'>,
  changes: VersionChangesJson,
): string {
  const heading = visibleText(`sweep ${sweep} (${name}, ${state}), version ${version}`);
  if (!changes.differs) return `${heading}: the file has the same content\n`;
  return `${heading}\n${changeLines(changes)}`;
}

export function versionChangesJson({
  version,
  differs,
  kept,
  added,
  dropped,
  droppedStarted,
  settings,
}: VersionChanges) {
  return { version, differs, kept, added, dropped, dropped_started: droppedStarted, settings };
}
