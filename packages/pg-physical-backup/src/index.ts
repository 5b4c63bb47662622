/**
 * Base backups of a PostgreSQL data directory and their restore. Knows the server by SQL texts only, the storage by the
 * `ObjectStore` contract, and the archive by an interface that its caller fills in.
 */
export * from './push/index.ts'
export * from './restore/index.ts'
export { faultCodes } from './fault-codes.ts'
