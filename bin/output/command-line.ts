// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros have this form
/** Formats the command line with which an agent starts a trial. */
import { argumentsOf, programParameters } from '../../agent/trainers/command/invocation.ts';
import type { SweepSpec } from '../../coordinator/grid/spec.ts';
import type { PlannedTrial } from '../../coordinator/search/trial-source.ts';
import { shellLine } from '../../lib/text/shell.ts';
import { piecesOf } from '../../proto/command.ts';
import { BadInputError } from '../../proto/errors.ts';

const AGENT_MACROS = ['artifacts', 'args_json_file'];

/**
 * Returns the command line, quoted for a shell. Values that only the agent knows are placeholders such as
 * `<artifacts>`.
 * @throws {BadInputError} if the sweep runs no command
 */
export function commandLineOf(spec: SweepSpec, trial: PlannedTrial): string {
  if (spec.command.length === 0) throw new BadInputError(`trainer ${spec.trainer} runs no command; use --points`);
  const command = spec.command.map((item) => withoutAgentMacros(item, trial.trialId));
  const { parameters, seed } = trial;
  const context = {
    parameters: programParameters(parameters, seed, spec.program),
    seed,
    trialId: trial.trialId,
    environment: {},
    folders: { artifacts: '<artifacts>', parameters: '<args_json_file>' },
  };
  return shellLine(argumentsOf(command, context));
}

function withoutAgentMacros(item: string, trialId: string): string {
  const written = piecesOf(item).map((piece) => {
    if (piece.kind === 'text') return piece.text.replaceAll('${', () => '$${');
    if (piece.kind === 'variable') return `<${piece.name}>`;
    if (piece.kind === 'parameter') return `\${param:${piece.name}}`;
    if (piece.name === 'trial') return trialId;
    return AGENT_MACROS.includes(piece.name) ? `<${piece.name}>` : `\${${piece.name}}`;
  });
  return written.join('');
}
