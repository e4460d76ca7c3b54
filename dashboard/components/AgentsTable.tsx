import { Box } from 'ink';
import { agentColumns, agentRows, chosenAgent } from '../state/agent-rows.ts';
import type { Model } from '../state/model.ts';
import { AgentDetail } from './AgentDetail.tsx';
import { ListTable } from './ListTable.tsx';

interface Props {
  readonly model: Model;
  readonly columns: number;
  readonly lines: number;
}

/** The agents. Below the list, the view shows the GPUs and trials of the agent under the cursor. */
export function AgentsTable({ model, columns, lines }: Props) {
  const rows = agentRows(model);
  const { sort, reversed, filterText } = model.ui.lists.agents;
  const table = agentColumns(model.now).map((column) => {
    const mark = reversed === (column.descending ?? false) ? ' ▲' : ' ▼';
    return column.header === sort ? { ...column, header: column.header + mark } : column;
  });
  const chosen = chosenAgent(model);
  const list = Math.min(rows.length + 1, Math.ceil(lines / 2));
  return (
    <>
      <Box flexDirection="column" height={Math.max(2, list)} flexShrink={0}>
        <ListTable
          model={model}
          view="agents"
          table={table}
          rows={rows}
          id={({ agent }) => agent.id}
          empty={filterText === '' ? 'no agents yet' : 'no agent matches the filter (q clears it)'}
          columns={columns}
          lines={list}
        />
      </Box>
      {chosen === undefined || lines - list < 2 ? null : (
        <Box flexDirection="column" height={lines - list} paddingTop={1} overflowY="hidden">
          <AgentDetail model={model} row={chosen} columns={columns} />
        </Box>
      )}
    </>
  );
}
