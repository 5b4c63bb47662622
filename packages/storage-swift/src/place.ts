import { bucketMissingFault, type ByteBudget, type RetryPolicy } from '@waltz/storage'
import type { BlockPool } from '@waltz/bytes'
import { pathOf, type SwiftClient } from './client.ts'
import type { SwiftStoreOptions } from './options.ts'

/** Where the objects of one store are, and what all of its calls share. */
export interface Place {
  readonly client: SwiftClient
  readonly container: string
  readonly segmentContainer: string
  readonly location: string
  readonly partBytes: number
  readonly concurrency: number
  readonly maxWholeBytes: number
  readonly largeObjects: 'whole' | 'segments'
  readonly conditionalPut: boolean
  readonly newest: boolean
  readonly bulkDelete: boolean | 'find'
  readonly listPageKeys: number | undefined
  readonly budget: ByteBudget
  readonly retry: RetryPolicy
  readonly now: () => Date
  readonly randomHex: (digits: number) => string
  readonly readBlocks: BlockPool
  readonly onLeftover: SwiftStoreOptions['onLeftover']
  /** Removals of uploads that were aborted, as long as they go on. */
  readonly closing: Set<Promise<void>>
}

/** Throws when there is no such container: Swift answers 404 for an object in either case. */
export async function checkContainer(place: Place, doing: string, signal: AbortSignal | undefined): Promise<void> {
  const { status } = await place.client.call({
    method: 'HEAD',
    path: pathOf(place.container),
    accept: [200, 204, 404],
    doing,
    signal,
  })
  if (status === 404) throw bucketMissingFault({ doing, location: place.location, answer: '404' }, 'container')
}

/** Headers of a request that reads. */
export function readHeaders({ newest }: Place): Record<string, string> {
  return newest ? { 'x-newest': 'true' } : {}
}
