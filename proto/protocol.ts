/**
 * The protocol between agents and coordinators. It rises when one side no longer understands the other; a coordinator
 * rejects an agent of another protocol by name. Clients are not affected.
 */
export const PROTOCOL = 3;
