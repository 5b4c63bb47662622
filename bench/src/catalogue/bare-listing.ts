/**
 * What a command of the catalogue cannot do without, and nothing else: it lists the folders (JSON in the first argument), and reads the
 * documents of backups when they are wanted. Bundled by the harness, started like the command.
 */
import { readAll } from '@waltz/bytes'
import { openStore, type StorePlace } from './open-store.ts'

/** The work of one run. */
export interface ListingJob {
  readonly place: StorePlace
  readonly listings: readonly { readonly prefix: string; readonly oneLevel: boolean }[]
  /** Also reads sentinels and metadata, several at once; `metadata` only the latter. */
  readonly documents: 'none' | 'metadata' | 'all'
}

const READS_AT_ONCE = 8
const MAX_BYTES = 1_048_576
const SENTINEL = '_backup_stop_sentinel.json'

const { place, listings, documents } = JSON.parse(process.argv[2] ?? '') as ListingJob
const store = await openStore(place)
const sum = { objects: 0, bytes: 0, read: 0 }
const wanted: string[] = []
// Whoever can be interrupted has one.
const { signal } = new AbortController()
for (const { prefix, oneLevel } of listings) {
  for await (const { key, size } of store.list(prefix, { signal, ...(oneLevel && { oneLevel }) })) {
    sum.objects += 1
    sum.bytes += size
    if (key.endsWith(SENTINEL)) want(key.slice(0, -SENTINEL.length), key)
  }
}
await Promise.all(
  Array.from({ length: READS_AT_ONCE }, async () => {
    for (let key = wanted.shift(); key !== undefined; key = wanted.shift()) {
      await using body = await store.get(key, { signal })
      sum.read += (await readAll(body, MAX_BYTES)).length
    }
  }),
)
process.stdout.write(`${JSON.stringify(sum)}\n`)
// As the command ends: without waiting for connections that are kept open.
process.exit(0)

function want(folder: string, sentinel: string): void {
  if (documents === 'none') return
  wanted.push(`${folder}/metadata.json`)
  if (documents === 'all') wanted.push(sentinel)
}
