/** IDX, the format of the MNIST family: a big-endian header, then bytes (http://yann.lecun.com/exdb/mnist). */
import { BadInputError } from '../../proto/errors.js';
/** Unsigned bytes in three dimensions. */
const IMAGES_MAGIC = 0x00000803;
const HEADER_BYTES = 16;
/**
 * Reads a file of images; `pixels` is a view of the file's bytes, not a copy.
 * @param name of the file, for errors.
 * @throws {BadInputError} when it is no such file, or shorter or longer than its header says.
 */
export function parseImages(name, file) {
    if (file.length < HEADER_BYTES)
        throw new BadInputError(`${name}: ${file.length} bytes, expected an IDX header of ${HEADER_BYTES}`);
    const header = new DataView(file.buffer, file.byteOffset, HEADER_BYTES);
    const magic = header.getUint32(0);
    if (magic !== IMAGES_MAGIC)
        throw new BadInputError(`${name}: begins with 0x${hex(magic)}, expected 0x${hex(IMAGES_MAGIC)} (IDX images)`);
    const [count, rows, columns] = [header.getUint32(4), header.getUint32(8), header.getUint32(12)];
    const expected = HEADER_BYTES + count * rows * columns;
    if (file.length !== expected)
        throw new BadInputError(`${name}: ${file.length} bytes, expected ${expected} for ${count} images of ${rows}x${columns}`);
    return { count, rows, columns, pixels: file.subarray(HEADER_BYTES) };
}
function hex(value) {
    return value.toString(16).padStart(8, '0');
}
//# sourceMappingURL=idx.js.map