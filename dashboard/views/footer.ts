import { formatSpan } from '../../lib/text/duration.ts';
import { line, type StyledLine } from '../../lib/text/segment.ts';
import { shortId } from '../../lib/text/short-id.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { type Command, keyLabel, keysOf } from '../keys.ts';
import type { Model } from '../state/model.ts';
import { viewOf } from '../state/ui.ts';

export const FOOTER_LINES = 2;

/** What is worth the last line, where there is room; the help has all. */
const HINTS: readonly (readonly [Command, string])[] = [
  ['enter', 'in'],
  ['back', 'out'],
  ['filter', 'filter'],
  ['sort', 'sort'],
  ['mark', 'mark'],
  ['compare', 'compare'],
  ['earlier', 'earlier'],
  ['later', 'later'],
  ['metric', 'metric'],
  ['pair', 'pair'],
  ['log', 'log'],
  ['freeze', 'freeze'],
  ['pause', 'pause'],
  ['kill', 'kill'],
  ['retry', 'retry'],
  ['drain', 'drain'],
  ['help', 'help'],
];

/** A question or what is typed; else what an act came to; else the latest event. Below it the keys. */
export function footer(model: Model): StyledLine[] {
  return [statusLine(model), hints(model)];
}

export function statusLine({ ui, state }: Model): StyledLine {
  const { prompt, status } = ui;
  if (prompt?.kind === 'confirm') return line(visibleText(prompt.question), 'yellow');
  if (prompt !== undefined) {
    const sign = prompt.kind === 'filter' ? '/' : ':';
    const wrong = status?.failed ? `  ${visibleText(status.text)}` : '';
    return {
      segments: [
        { text: `${sign}${visibleText(prompt.text)}`, style: 'bold' },
        { text: '█' },
        { text: wrong, style: 'yellow' },
      ],
    };
  }
  if (status !== undefined) return line(visibleText(status.text), status.failed ? 'yellow' : 'cyan');
  if (ui.filterText !== '') return line(visibleText(`filter: ${ui.filterText}`), 'magenta');
  const event = state.events.at(-1);
  if (event === undefined) return line('');
  const at = formatSpan(event.atMs - (state.sweep?.createdAtMs ?? 0));
  return line(visibleText(`+${at} ${shortId(event.trialId)} ${event.kind} ${event.detail}`), 'dim');
}

function hints({ ui, readonly }: Model): StyledLine {
  const bindings = keysOf(viewOf(ui).kind, readonly);
  return line(
    HINTS.flatMap(([command, about]) => {
      const key = bindings.find((binding) => binding.command === command)?.keys.at(-1);
      return key === undefined ? [] : [`${keyLabel(key)} ${about}`];
    }).join(' · '),
    'dim',
  );
}
