import type { KitStorage } from '../kit-storage.ts'

/** What a deletion needs of a storage. */
export type RemovalStorage = Pick<KitStorage, 'name' | 'store'>
