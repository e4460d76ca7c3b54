/** What can be wrong with a data set. */
import { BadInputError, UnreachableError } from '../../proto/errors.js';
/** A file of the cache, or one from a source, is not what it should be. */
export class DamagedFileError extends BadInputError {
}
/** No source gives the data set. */
export class DatasetUnavailableError extends UnreachableError {
}
//# sourceMappingURL=errors.js.map