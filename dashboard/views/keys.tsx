import { useInput } from 'ink';
import type { Press } from '../keys.ts';

/** Every key that is pressed; draws nothing. */
export function Keys({ onPress }: { readonly onPress: (press: Press) => void }) {
  useInput((input, key) => onPress({ input, key }));
  return null;
}
