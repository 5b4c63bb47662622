import { sourceOf } from '@waltz/bytes'
import { backupFolder, metadataKey, sentinelKey, walKey } from '@waltz/repository'
import type { ObjectStore } from '@waltz/storage'
import { createMemoryStore } from '@waltz/storage/memory'

/** A backup as a test describes it. Positions are segment numbers of 16 MiB. */
export interface MadeBackup {
  readonly segment: number
  readonly timeline?: number
  readonly parent?: string
  readonly depth?: number
  readonly permanent?: boolean
  readonly systemIdentifier?: string
  readonly started?: string
  readonly metadata?: string | false
  readonly sentinel?: string | false
  readonly parts?: number
}

export const SEGMENT_BYTES = 16 * 1_048_576
const hex8 = (value: number): string => value.toString(16).toUpperCase().padStart(8, '0')
/** The name of a segment of 16 MiB. */
export const segment = (number: number, timeline = 1): string => `${hex8(timeline)}${hex8(Math.floor(number / 256))}${hex8(number % 256)}`

/** The name of a backup that begins in a segment. */
export function nameOf({ segment: number, timeline = 1, parent }: MadeBackup): string {
  const own = `base_${segment(number, timeline)}`
  return parent === undefined ? own : `${own}_D_${/[0-9A-F]{24}/.exec(parent)?.[0]}`
}

const startOf = ({ segment: number }: MadeBackup): number => number * SEGMENT_BYTES + 40

/** The objects of a backup in the order in which they are stored. */
export function objectsOf(backup: MadeBackup): ReadonlyMap<string, string> {
  const name = nameOf(backup)
  const { parent, depth = 1, permanent = false, systemIdentifier = '7402951873649102847', started = '2026-03-01T10:00:00Z' } = backup
  const [start, finish] = [startOf(backup), startOf(backup) + 200]
  const increment =
    parent === undefined
      ? ''
      : `"DeltaLSN":1,"DeltaFrom":"${parent}","DeltaFullName":"${parent.replace(/_D_.*/, '')}","DeltaCount":${depth},`
  const sentinel = `{"LSN":${start},${increment}"PgVersion":150020,"FinishLSN":${finish},"SystemIdentifier":${systemIdentifier},"UncompressedSize":1000,"CompressedSize":100,"DataCatalogSize":1200,"ChkpNum":null,"Version":2,"StartTime":"${started}","FinishTime":"${started}","DateFmt":"%Y","Hostname":"db1","DataDir":"/pg","IsPermanent":false}`
  const metadata = `{"start_time":"${started}","finish_time":"${started}","date_fmt":"%Y","hostname":"db1","data_dir":"/pg","pg_version":150020,"start_lsn":${start},"finish_lsn":${finish},"is_permanent":${permanent},"system_identifier":${systemIdentifier},"uncompressed_size":1000,"compressed_size":100}`
  const objects = new Map<string, string>()
  for (let part = 1; part <= (backup.parts ?? 1); part += 1)
    objects.set(`${backupFolder(name)}tar_partitions/part_${String(part).padStart(3, '0')}.tar.lz4`, 'x'.repeat(50))
  if (backup.metadata !== false) objects.set(metadataKey(name), backup.metadata ?? metadata)
  if (backup.sentinel !== false) objects.set(sentinelKey(name), backup.sentinel ?? sentinel)
  return objects
}

/** A repository in memory, whose clock the test sets. */
export interface MadeRepository {
  readonly store: ObjectStore
  /** What was asked of it: `list PREFIX` and `get KEY`. */
  readonly requests: string[]
  /** The clock of the store. */
  at: Date
  put(key: string, text?: string): Promise<void>
  add(backup: MadeBackup): Promise<string>
  wal(first: number, last: number, timeline?: number): Promise<void>
}

/** An empty repository; objects are stored a second apart. */
export function madeRepository(begin = '2026-03-01T00:00:00Z'): MadeRepository {
  const repository: { at: Date } = { at: new Date(begin) }
  const tick = (): Date => (repository.at = new Date(repository.at.getTime() + 1000))
  const memory = createMemoryStore({ now: tick })
  const requests: string[] = []
  const store: ObjectStore = {
    ...memory,
    get: (key, options) => {
      requests.push(`get ${key}`)
      return memory.get(key, options)
    },
    head: (key, options) => {
      requests.push(`head ${key}`)
      return memory.head(key, options)
    },
    list: (prefix, options) => {
      requests.push(`list ${prefix}`)
      return memory.list(prefix, options)
    },
  }
  const put = async (key: string, text = 'x'): Promise<void> => void (await memory.put(key, sourceOf(text)))
  return Object.assign(repository, {
    store,
    requests,
    put,
    async add(backup: MadeBackup) {
      for (const [key, text] of objectsOf(backup)) await put(key, text)
      return nameOf(backup)
    },
    async wal(first: number, last: number, timeline = 1) {
      for (let number = first; number <= last; number += 1) await put(walKey(`${segment(number, timeline)}.lz4`))
    },
  })
}
