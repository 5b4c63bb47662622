/**
 * `ByteSource`, the one streaming primitive of Waltz, and the plain functions that join sources together. Everything
 * that moves bytes is a function from source to source; Node's streams appear only in the adapters of this package.
 */
export type { ByteRange, ByteSource, ByteStage } from './byte-source.ts'
export { CHUNK_BYTES, coalesce } from './coalesce.ts'
export { concatBytes } from './concat-bytes.ts'
export { emptySource, sourceOf } from './source-of.ts'
export { createBlockPool, giveBack, lendBytes, type BlockPool } from './lent-bytes.ts'
export { limitBytes } from './limit-bytes.ts'
export { prefetch } from './prefetch.ts'
export { readAll } from './read-all.ts'
export { readExactly } from './read-exactly.ts'
export { tap } from './tap.ts'
export { throughNodeTransform } from './through-node-transform.ts'
export { fromNodeStream } from './from-node-stream.ts'
export { faultCodes } from './fault-codes.ts'
