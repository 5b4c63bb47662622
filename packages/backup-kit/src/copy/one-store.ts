import { sourceOf } from '@waltz/bytes'
import { settingsTable, type Settings } from '@waltz/settings'
import type { CallOptions } from '@waltz/storage'
import { objectExists } from '@waltz/storage/tools'
import type { KitStorage } from '../kit-storage.ts'
import { randomHex } from '../random.ts'

/** Where in a bucket a repository begins; everything else of a storage must agree. */
const PLACES: ReadonlySet<string> = new Set(['s3Prefix', 'gsPrefix', 'azPrefix', 'swiftPrefix', 'ossPrefix', 'sshPrefix', 'storagePrefix'])
const AREAS: ReadonlySet<string> = new Set(['storage', 's3', 'gcs', 'azure', 'oss', 'swift', 'ssh'])

/** Copies one object from one repository to the other within the storage that both lie in. */
export type CopyInside = (key: string, signal?: AbortSignal) => Promise<void>

/**
 * The way to copy without the bytes coming here; undefined where the two are not certainly in one bucket, reached with the same settings,
 * or the storage cannot do it.
 */
export function copyInsideOf(from: KitStorage, to: KitStorage): CopyInside | undefined {
  const { backend: source } = from
  const { backend: target } = to
  if (!isOneBucket(from, to) || !target.store.capabilities.copy || !hasSameSettings(from, to)) return undefined
  const below = (prefix: string, key: string): string => (prefix === '' ? key : `${prefix}/${key}`)
  return async (key, signal) =>
    await target.store.copy(below(source.prefix, key), below(target.prefix, key), signal === undefined ? {} : { signal })
}

/**
 * Whether both are the very same repository. Where names agree and settings do not, a small object that is stored in the one and looked for
 * in the other tells: servers may have buckets of the same name.
 */
export async function isOneRepository(from: KitStorage, to: KitStorage, call: CallOptions): Promise<boolean> {
  if (!isOneBucket(from, to) || from.backend.prefix !== to.backend.prefix) return false
  if (hasSameSettings(from, to)) return true
  const key = `waltz/copy-${randomHex(32)}`
  await to.store.put(key, sourceOf('here'), { ...call, size: 4 })
  try {
    return (await objectExists(from.store, key, call)) !== undefined
  } finally {
    await to.store.delete([key], call)
  }
}

function isOneBucket({ backend: one }: KitStorage, { backend: other }: KitStorage): boolean {
  return one.kind === other.kind && one.store.location === other.store.location
}

function hasSameSettings(one: KitStorage, other: KitStorage): boolean {
  return storageText(one.settings) === storageText(other.settings)
}

/** All that decides which server and whose right it is, as one text. It stays here. */
function storageText(settings: Settings): string {
  const values = Object.entries(settings).filter(([key]) => isOfStorage(key) && !PLACES.has(key))
  return values
    .map(([key, value]) => `${key}=${String(value)}`)
    .toSorted()
    .join('\n')
}

function isOfStorage(key: string): boolean {
  return AREAS.has(settingsTable[key as keyof typeof settingsTable].area)
}
