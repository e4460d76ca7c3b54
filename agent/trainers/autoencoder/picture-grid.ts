/** Rows of small pictures as one PNG, large enough to be looked at. */
import { encode } from 'fast-png';

/** Pixels of a picture's side. */
const SIDE = 28;
/** Grey pixels around each picture. */
const GAP = 2;
const GREY = 128;
/** Screen pixels a pixel. */
const SCALE = 3;

/**
 * @param rows of pictures, each row the bytes of as many pictures of 28x28 grey levels, one picture after the other.
 * @returns an 8-bit greyscale PNG.
 */
export function pictureGrid(rows: readonly Uint8Array[]): Uint8Array {
  const columns = (rows[0]?.length ?? 0) / SIDE ** 2;
  const width = SCALE * (GAP + columns * (SIDE + GAP));
  const height = SCALE * (GAP + rows.length * (SIDE + GAP));
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const [row, line] = placeOf(y);
    for (let x = 0; x < width; x++) {
      const [column, place] = placeOf(x);
      const inside = line < SIDE && place < SIDE;
      data[y * width + x] = inside ? (rows[row]?.[(column * SIDE + line) * SIDE + place] ?? GREY) : GREY;
    }
  }
  return encode({ width, height, data, channels: 1, depth: 8 });
}

/** Along one axis: which picture, and which of its pixels; beyond the last one is the gap after it. */
function placeOf(screen: number): readonly [number, number] {
  const from = Math.floor(screen / SCALE) - GAP;
  const picture = Math.floor(from / (SIDE + GAP));
  return [picture, from - picture * (SIDE + GAP)];
}
