import { BadInputError } from '../../proto/errors.ts';
import { MAX_NAME } from './limits.ts';

/** @throws {BadInputError} for a text that a person gives, and that is none */
export function mustBeShort(what: string, text: string): void {
  if (text.length > MAX_NAME) throw new BadInputError(`${what} may have ${MAX_NAME} characters`);
}
