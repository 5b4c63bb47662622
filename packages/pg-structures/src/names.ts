declare const tag: unique symbol
type Branded<Base, Name extends string> = Base & { readonly [tag]: Name }

/** A byte position in the WAL. A bigint because 64-bit positions do not fit a number. */
export type Lsn = Branded<bigint, 'Lsn'>
/** A timeline number, 1 to 2^32 - 1. */
export type TimelineId = Branded<number, 'TimelineId'>
/** A block of one relation segment file or of a whole relation, as the context says. */
export type BlockNumber = Branded<number, 'BlockNumber'>
/** The cluster's identity: an unsigned 64-bit number from pg_control. */
export type SystemIdentifier = Branded<bigint, 'SystemIdentifier'>
/** 24 hex digits, or a `.history`, `.partial` or `.backup` name. Parsed once, at the edge. */
export type WalFileName = Branded<string, 'WalFileName'>
