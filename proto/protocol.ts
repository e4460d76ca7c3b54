/**
 * The version of the protocol between agents and coordinators. The version increases with each incompatible change. A
 * coordinator rejects agents of another version with a message that names the side to upgrade. Clients are not
 * affected.
 */
export const PROTOCOL = 3;
