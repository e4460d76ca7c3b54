import { line, type StyledLine } from '../../lib/text/segment.ts';
import { wrapped } from '../draw/wrap.ts';
import type { Model } from '../state/model.ts';

/** Why a trial does not run, in the coordinator's words. */
export function explainView({ explanation }: Pick<Model, 'explanation'>, columns: number): StyledLine[] {
  if (explanation.length === 0) return [line('asking the coordinator...', 'dim')];
  return explanation.flatMap((text) => wrapped(text, columns, undefined, '    '));
}
