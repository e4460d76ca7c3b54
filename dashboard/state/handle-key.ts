/**
 * Maps a key to the next state of the dashboard. The mapping does no I/O. Actions with effects outside this state are
 * returned as data.
 */
import { bindingOf, type Command } from '../keys.ts';
import { PANES, type Pane } from '../source.ts';
import {
  type ActionContext,
  changeReplay,
  confirmControl,
  confirmKill,
  type KeyResult,
  requestControl,
  retrySelected,
  toggleDrain,
} from './actions.ts';
import { toggleFollow } from './log-view.ts';
import {
  back,
  move,
  moveTo,
  moveToBottom,
  moveToMatch,
  moveToTop,
  openNeighbor,
  openPane,
  openRow,
  openView,
  reverse,
  setFolded,
  showNextKind,
  sortBy,
  toggleMark,
} from './navigation.ts';
import { handlePromptKey } from './prompt.ts';
import { seekBy, togglePause, withSpeed } from './replay-clock.ts';
import { filterTextOf, openPrompt, type Ui, viewOf, withStatus } from './ui.ts';

/** @param key a name that `keyNames` returns */
export function handleKey(ui: Ui, key: string, context: ActionContext): KeyResult {
  if (key === 'ctrl-c') return { ui, effect: { kind: 'interrupt' } };
  if (ui.prompt !== undefined) return handlePromptKey(ui, ui.prompt, key, context);
  const cleared: Ui = { ...ui, status: undefined };
  const binding = bindingOf(key, viewOf(ui).kind, context.readonly, context.replay !== undefined);
  return binding === undefined ? { ui: cleared } : run(cleared, binding.command, context);
}

function run(ui: Ui, command: Command, context: ActionContext): KeyResult {
  const page = Math.max(1, context.pageLines - 1);
  switch (command) {
    case 'up':
      return { ui: move(ui, context, -1) };
    case 'down':
      return { ui: move(ui, context, 1) };
    case 'pageUp':
      return { ui: move(ui, context, -page) };
    case 'pageDown':
      return { ui: move(ui, context, page) };
    case 'top':
      return { ui: moveToTop(ui, context) };
    case 'bottom':
      return { ui: moveToBottom(ui, context) };
    case 'enter':
      return openRow(ui, context);
    case 'back':
      return back(ui);
    case 'help':
      return { ui: openView(ui, { kind: 'help' }) };
    case 'filter':
      return { ui: openPrompt(ui, 'filter', filterTextOf(ui)) };
    case 'search':
      return { ui: openPrompt(ui, 'search', '') };
    case 'nextMatch':
    case 'previousMatch':
      return { ui: moveToMatch(ui, context, command === 'nextMatch' ? 1 : -1) };
    case 'follow':
      return { ui: { ...ui, log: toggleFollow(ui.log, context.log) } };
    case 'command':
      return { ui: openPrompt(ui, 'command', '') };
    case 'sort':
      return { ui: sortBy(ui, nextOf(context.sortColumns, context.sortColumn, 1)) };
    case 'sortBack':
      return { ui: sortBy(ui, nextOf(context.sortColumns, context.sortColumn, -1)) };
    case 'reverse':
      return { ui: reverse(ui) };
    case 'columnsRight': {
      const last = Math.max(0, context.sortColumns.length - 4);
      return { ui: { ...ui, columnOffset: Math.min(ui.columnOffset + 1, last) } };
    }
    case 'columnsLeft':
      return { ui: { ...ui, columnOffset: Math.max(0, ui.columnOffset - 1) } };
    case 'unfold':
      return { ui: setFolded(ui, context, false) };
    case 'fold':
      return { ui: setFolded(ui, context, true) };
    case 'mark':
      return { ui: toggleMark(ui, context) };
    case 'unmark':
      return { ui: { ...ui, marks: new Set() } };
    case 'compare':
      return ui.marks.size === 0
        ? { ui: withStatus(ui, 'nothing is marked; press Space to mark a row', true) }
        : { ui: openView(ui, { kind: 'compare' }) };
    case 'log':
    case 'describe':
    case 'explain': {
      const kind = command === 'describe' ? 'trial' : command;
      const { trialId } = context;
      return { ui: trialId === undefined ? ui : openView(ui, { kind, trialId }) };
    }
    case 'earlier':
      return { ui: { ...ui, epochsBack: Math.min(ui.epochsBack + 1, Math.max(0, context.imageEpochs - 1)) } };
    case 'later':
      return { ui: { ...ui, epochsBack: Math.max(0, Math.min(ui.epochsBack, context.imageEpochs - 1) - 1) } };
    case 'replayPause':
      return changeReplay(ui, context, togglePause);
    case 'replayForward':
      return changeReplay(ui, context, (clock, now) => seekBy(clock, now, REPLAY_STEP));
    case 'replayBack':
      return changeReplay(ui, context, (clock, now) => seekBy(clock, now, -REPLAY_STEP));
    case 'replayFaster':
      return changeReplay(ui, context, (clock, now) => withSpeed(clock, now, clock.speed * 2));
    case 'replaySlower':
      return changeReplay(ui, context, (clock, now) => withSpeed(clock, now, clock.speed / 2));
    case 'nextKind':
      return showNextKind(ui, context);
    case 'metric':
      return { ui: { ...ui, metric: nextOf(context.metricNames, context.metric, 1) } };
    case 'pair':
      return { ui: { ...ui, pair: nextPair(context) } };
    case 'freeze':
      return { ui: { ...ui, frozen: !ui.frozen } };
    case 'pause':
      return requestControl(ui, context, context.sweep?.paused ? 'resume' : 'pause');
    case 'stop':
      return confirmControl(ui, context, command);
    case 'kill':
      return confirmKill(ui, context);
    case 'nextFailure':
    case 'previousFailure': {
      const at = context.nextFailure(command === 'nextFailure' ? 1 : -1);
      return at < 0 ? { ui: withStatus(ui, 'no row has a failed trial') } : { ui: moveTo(ui, context, at) };
    }
    case 'nextTrial':
    case 'previousTrial':
      return { ui: openNeighbor(ui, context, command === 'nextTrial' ? 1 : -1) };
    case 'copy':
      if (context.copied === undefined) return { ui };
      return {
        ui: withStatus(ui, `copied ${context.copied.id} (${context.copied.of})`),
        effect: { kind: 'copy', text: context.copied.id },
      };
    case 'drain':
      return toggleDrain(ui, context);
    case 'retry':
      return retrySelected(ui, context);
    case 'pane1':
    case 'pane2':
    case 'pane3':
    case 'pane4':
    case 'pane5':
    case 'pane6':
    case 'pane7':
      return { ui: openPane(ui, PANES[Number(command.at(-1)) - 1] ?? 'sweep') };
    case 'nextPane': {
      const at = PANES.indexOf(ui.stack[0].kind as Pane);
      return { ui: openPane(ui, PANES[(at + 1) % PANES.length] ?? 'sweep') };
    }
  }
}

/** The share of the sweep's duration by which a key moves a replay. */
const REPLAY_STEP = 0.05;

function nextOf(all: readonly string[], current: string, by: 1 | -1): string | undefined {
  if (all.length === 0) return undefined;
  return all.at((all.indexOf(current) + by) % all.length);
}

function nextPair({ parameters, pair }: ActionContext): readonly [string, string] | undefined {
  const pairs = parameters.flatMap((a, i) => parameters.slice(i + 1).map((b) => [a, b] as const));
  const at = pairs.findIndex(([a, b]) => a === pair?.[0] && b === pair[1]);
  return pairs[(at + 1) % Math.max(1, pairs.length)];
}
