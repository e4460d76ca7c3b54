import type { Model } from '../state/model.ts';
import { cursorOf, viewOf } from '../state/ui.ts';
import { AgentsTable } from './AgentsTable.tsx';
import { CompareView } from './CompareView.tsx';
import { ErrorsTable } from './ErrorsTable.tsx';
import { EventsTable } from './EventsTable.tsx';
import { ExplainView } from './ExplainView.tsx';
import { HelpView } from './HelpView.tsx';
import { Leaderboard } from './Leaderboard.tsx';
import { LogView } from './LogView.tsx';
import { ParametersView } from './ParametersView.tsx';
import { RungsView } from './RungsView.tsx';
import { ScrollView } from './ScrollView.tsx';
import { StartView } from './StartView.tsx';
import { SweepsTable } from './SweepsTable.tsx';
import { TrialPanel } from './TrialPanel.tsx';

interface Props {
  readonly model: Model;
  readonly columns: number;
  readonly lines: number;
}

/** The current view. */
export function Body(props: Props) {
  const { model, columns, lines } = props;
  if (model.state.sweep === undefined && model.starting !== undefined && viewOf(model.ui).kind !== 'help') {
    return <StartView heading={model.starting.heading} steps={model.starting.steps} columns={columns} lines={lines} />;
  }
  const { offset } = cursorOf(model.ui);
  const view = viewOf(model.ui);
  switch (view.kind) {
    case 'sweep':
      return <Leaderboard {...props} />;
    case 'agents':
      return <AgentsTable {...props} />;
    case 'events':
      return <EventsTable {...props} />;
    case 'sweeps':
      return <SweepsTable {...props} />;
    case 'errors':
      return <ErrorsTable {...props} />;
    case 'log':
      return <LogView {...props} trialId={view.trialId} />;
    default:
      return (
        <ScrollView key={view.kind} offset={offset} columns={columns} lines={lines}>
          <TextView {...props} />
        </ScrollView>
      );
  }
}

function TextView({ model, columns, lines }: Props) {
  const view = viewOf(model.ui);
  switch (view.kind) {
    case 'trial':
      return <TrialPanel model={model} trialId={view.trialId} columns={columns} lines={lines} />;
    case 'compare':
      return <CompareView model={model} columns={columns} lines={lines} />;
    case 'parameters':
      return <ParametersView model={model} columns={columns} lines={lines} />;
    case 'rungs':
      return <RungsView model={model} columns={columns} />;
    case 'explain':
      return <ExplainView explanation={model.explanation} columns={columns} />;
    case 'help': {
      const about = model.ui.stack.at(-2)?.kind ?? 'sweep';
      return <HelpView view={about} readonly={model.readonly} replay={model.replay !== undefined} columns={columns} />;
    }
    default:
      return null;
  }
}
