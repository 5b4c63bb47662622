export type { BlockNumber, Lsn, SystemIdentifier, TimelineId, WalFileName } from './names.ts'
