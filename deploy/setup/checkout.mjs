import { fileURLToPath } from 'node:url';

/** The folder of the checkout (or installed package) that this script lies in, without a slash at its end. */
export const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
