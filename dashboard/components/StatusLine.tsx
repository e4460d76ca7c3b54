import { formatSpan } from '../../lib/text/duration.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { truncate } from '../../lib/text/width.ts';
import { eventDetail, trialText } from '../state/event-rows.ts';
import type { Model } from '../state/model.ts';
import type { Prompt } from '../state/ui.ts';
import { Label, Line } from './Line.tsx';

interface Props {
  readonly model: Model;
  readonly columns: number;
}

/** Shows the open prompt, or else the last message, or else the filter, or else the latest event. */
export function StatusLine({ model: { ui, state }, columns }: Props) {
  const { prompt, status } = ui;
  if (prompt?.kind === 'confirm') return <Question prompt={prompt} columns={columns} />;
  if (prompt !== undefined)
    return <PromptLine prompt={prompt} error={status?.failed ? status.text : ''} columns={columns} />;
  if (status !== undefined)
    return <Label text={status.text} columns={columns} style={status.failed ? 'yellow' : 'cyan'} />;
  if (ui.filterText !== '') return <Label text={`filter: ${ui.filterText}`} columns={columns} style="magenta" />;
  const event = state.events.at(-1);
  if (event === undefined) return <Label text="" columns={columns} />;
  const at = formatSpan(event.atMs - (state.sweep?.createdAtMs ?? 0));
  const trial = event.trialId === '' ? [] : [trialText(event)];
  const text = [`+${at}`, ...trial, event.kind, eventDetail(event)].join(' ');
  return <Label text={text} columns={columns} style="dim" />;
}

const ANSWERS = ' [y/N]';

function Question(props: { readonly prompt: Extract<Prompt, { kind: 'confirm' }>; readonly columns: number }) {
  const room = Math.max(1, props.columns - ANSWERS.length);
  const question = truncate(visibleText(props.prompt.question), room);
  return <Label text={question + ANSWERS} columns={props.columns} style="yellow" />;
}

interface PromptProps {
  readonly prompt: Exclude<Prompt, { kind: 'confirm' }>;
  readonly error: string;
  readonly columns: number;
}

function PromptLine({ prompt, error, columns }: PromptProps) {
  const characters = [...prompt.text];
  const sign = prompt.kind === 'command' ? ':' : '/';
  return (
    <Line
      segments={[
        { text: sign + visibleText(characters.slice(0, prompt.at).join('')), style: 'bold' },
        { text: '█' },
        { text: visibleText(characters.slice(prompt.at).join('')), style: 'bold' },
        { text: error === '' ? '' : `  ${visibleText(error)}`, style: 'yellow' },
      ]}
      columns={columns}
    />
  );
}
