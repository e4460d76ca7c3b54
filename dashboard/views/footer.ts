import { formatSpan } from '../../lib/text/duration.ts';
import { shortId } from '../../lib/text/short-id.ts';
import { firstLine, visibleText } from '../../lib/text/visible-text.ts';
import { truncate } from '../../lib/text/width.ts';
import { type StyledLine, styledLine } from '../draw/line.ts';
import { type Command, keyLabel, keysOf } from '../keys.ts';
import type { Model } from '../state/model.ts';
import { viewOf } from '../state/ui.ts';

export const FOOTER_LINES = 2;

const ANSWERS = ' [y/N]';

const HINTS: readonly (readonly [Command, string])[] = [
  ['enter', 'open'],
  ['back', 'back'],
  ['filter', 'filter'],
  ['sort', 'sort'],
  ['mark', 'mark'],
  ['compare', 'compare'],
  ['earlier', 'earlier'],
  ['later', 'later'],
  ['metric', 'metric'],
  ['pair', 'next pair'],
  ['log', 'log'],
  ['freeze', 'freeze'],
  ['pause', 'pause'],
  ['kill', 'kill'],
  ['retry', 'retry'],
  ['drain', 'drain'],
  ['help', 'help'],
];

/** Draws the status line and the key hints. */
export function footer(model: Model, columns: number): StyledLine[] {
  return [statusLine(model, columns), hints(model)];
}

/** Draws the open prompt, otherwise the last message, the filter or the latest event. */
export function statusLine({ ui, state }: Model, columns: number): StyledLine {
  const { prompt, status } = ui;
  if (prompt?.kind === 'confirm') {
    const question = truncate(visibleText(prompt.question), Math.max(1, columns - ANSWERS.length));
    return styledLine(question + ANSWERS, 'yellow');
  }
  if (prompt !== undefined) {
    const sign = prompt.kind === 'filter' ? '/' : ':';
    const error = status?.failed ? `  ${visibleText(status.text)}` : '';
    return {
      segments: [
        { text: `${sign}${visibleText(prompt.text)}`, style: 'bold' },
        { text: '█' },
        { text: error, style: 'yellow' },
      ],
    };
  }
  if (status !== undefined) return styledLine(visibleText(status.text), status.failed ? 'yellow' : 'cyan');
  if (ui.filterText !== '') return styledLine(visibleText(`filter: ${ui.filterText}`), 'magenta');
  const event = state.events.at(-1);
  if (event === undefined) return styledLine('');
  const at = formatSpan(event.atMs - (state.sweep?.createdAtMs ?? 0));
  return styledLine(visibleText(`+${at} ${shortId(event.trialId)} ${event.kind} ${firstLine(event.detail)}`), 'dim');
}

function hints({ ui, readonly }: Model): StyledLine {
  const bindings = keysOf(viewOf(ui).kind, readonly);
  return styledLine(
    HINTS.flatMap(([command, about]) => {
      const key = bindings.find((binding) => binding.command === command)?.keys.at(-1);
      return key === undefined ? [] : [`${keyLabel(key)} ${about}`];
    }).join(' · '),
    'dim',
  );
}
