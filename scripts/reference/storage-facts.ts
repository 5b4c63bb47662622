import type { StoreCapabilities } from '../../packages/storage/src/index.ts'
import { storageFacts as azure } from '../../packages/storage-azure/test/support/facts.ts'
import { storageFacts as file } from '../../packages/storage-file/test/support/facts.ts'
import { storageFacts as gcs } from '../../packages/storage-gcs/test/support/facts.ts'
import { storageFacts as s3 } from '../../packages/storage-s3/test/support/facts.ts'
import { storageFacts as ssh } from '../../packages/storage-ssh/test/support/facts.ts'
import { storageFacts as swift } from '../../packages/storage-swift/test/support/facts.ts'
import type { NetworkForm } from '../../tools/testkit/src/network-forms.ts'

/** What a store's own tests prove: they take their cases, part sizes and request lines from here, and compare the capabilities. */
export interface StorageFacts {
  readonly title: string
  readonly package: string
  /** What it is proven on. */
  readonly server: string
  readonly notTried: string
  readonly capabilities: Omit<StoreCapabilities, 'maxObjectBytes'>
  readonly largestObject: string
  /** Why a capability is not claimed. */
  readonly unclaimed: Partial<Readonly<Record<keyof StoreCapabilities, string>>>
  /** Cases that the store refuses to do, with the reason. */
  readonly refused: Readonly<Record<string, string>>
  /** Size of the parts in the cases about them. */
  readonly partBytes: number
  /** How often two writers race for a name; 0 where nothing is claimed. */
  readonly races: number
  /** When 200 MiB pass through it. */
  readonly large: 'yes' | 'soak'
  /** The forms in which the network fault cases are run, or why there are none. */
  readonly network: readonly NetworkForm[] | string
}

/** All stores, in the order of the columns. */
export const storages: readonly StorageFacts[] = [file, s3, gcs, azure, swift, ssh]
