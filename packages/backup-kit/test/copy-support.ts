import { createHash } from 'node:crypto'
import { readAll, sourceOf } from '@waltz/bytes'
import { createCodecRegistry } from '@waltz/codecs'
import type { Cipher } from '@waltz/crypto'
import { isFault } from '@waltz/errors'
import type { Lsn, SystemIdentifier } from '@waltz/pg-structures'
import {
  createSealedFormat,
  encodeFilesMetadata,
  encodeManifest,
  encodeMetadata,
  encodeSentinel,
  filesMetadataKey,
  manifestKey,
  metadataKey,
  partKey,
  sentinelKey,
  walKey,
  type BackupMetadata,
  type SealedFormat,
  type Sentinel,
} from '@waltz/repository'
import type { ObjectStore } from '@waltz/storage'
import { createMemoryStore } from '@waltz/storage/memory'
import { copyBackups, type CopyOptions, type CopyResult } from '../src/copy.ts'

export const SYSTEM = 7_402_951_873_649_102_847n as SystemIdentifier
export const FULL = 'base_000000010000000000000002'
export const DELTA = 'base_000000010000000000000005_D_000000010000000000000002'
export const SECOND = 'base_000000010000000000000008'
const SEGMENT = 0x1000000n

export const now = (): Date => new Date('2026-11-21T00:00:00Z')
export const sleep = (): Promise<void> => Promise.resolve()

export async function formatOf(codec: string, cipher?: Cipher): Promise<SealedFormat> {
  const registry = createCodecRegistry()
  return createSealedFormat({ codec: await registry.byName(codec), registry, cipher })
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
export const collect = (source: AsyncIterable<Uint8Array>): Promise<Uint8Array> => readAll(source, 1e8)

/** Bytes that hardly compress, always the same for a name. */
export function noise(name: string, pieces = 40): string {
  const key = `${name} ${pieces}`
  const found = noises.get(key) ?? Array.from({ length: pieces }, (_, at) => sha256(Buffer.from(`${name} ${at}`))).join('')
  noises.set(key, found)
  return found
}
const noises = new Map<string, string>()

export async function contentsOf(store: ObjectStore): Promise<Map<string, Uint8Array>> {
  const all = new Map<string, Uint8Array>()
  for await (const { key } of store.list('')) all.set(key, await collect(await store.get(key)))
  return all
}

/** Waits for what may fail, with a fault and with nothing else. */
export async function mayFail(work: Promise<unknown>): Promise<void> {
  try {
    await work
  } catch (error) {
    if (!isFault(error)) throw error
  }
}

/** Hashes compare much faster. */
export async function hashesOf(store: ObjectStore): Promise<ReadonlyMap<string, string>> {
  return new Map([...(await contentsOf(store))].map(([key, bytes]) => [key, sha256(bytes)]))
}

export const put = async (store: ObjectStore, key: string, bytes: Uint8Array | string): Promise<void> =>
  void (await store.put(key, sourceOf(bytes)))

/** What a backup of a test is made from. */
export interface Made {
  readonly name: string
  readonly segment: bigint
  readonly parent?: string
  readonly system?: SystemIdentifier
  readonly manifest?: boolean
}

/** Stores a finished backup, its sentinel last. */
export async function storeBackup(store: ObjectStore, format: SealedFormat, made: Made): Promise<void> {
  const { name, segment, parent, system = SYSTEM, manifest = true } = made
  const parts: { name: string; size: number; sha256: string; payloadBytes: number }[] = []
  for (const base of ['part_001.tar', 'part_003.tar', 'pg_control.tar', 'backup_label.tar']) {
    const content = noise(`${name} ${base}`, base === 'part_001.tar' ? 4200 : 30)
    const bytes = await collect(format.seal(sourceOf(content)))
    const part = format.nameFor(base)
    parts.push({ name: part, size: bytes.length, sha256: sha256(bytes), payloadBytes: content.length })
    await put(store, partKey(name, part), bytes)
  }
  const sets = ['part_001.tar', 'part_003.tar', 'backup_label.tar'].map((base) => ({
    part: format.nameFor(base),
    names: [`/file of ${base}`, '/TarFileSets', '/"quoted\\'],
  }))
  const files = ['/part_001.tar.lz4', '/base/1'].map((file) => ({
    name: file,
    incremented: false,
    skipped: false,
    modifiedAt: '2026-01-01T00:00:00Z',
  }))
  const list = await collect(encodeFilesMetadata({ files, tarFileSets: sets }))
  await put(store, filesMetadataKey(name), list)
  const rest = { links: [], skipped: [], warnings: ['kept'], walPending: [], tool: { name: 'waltz', version: '1' } }
  const filesMetadata = { size: list.length, sha256: sha256(list) }
  if (manifest) await put(store, manifestKey(name), encodeManifest({ backup: name, parts, filesMetadata, ...rest }))
  const storedBytes = parts.reduce((sum, { size }) => sum + size, 0)
  const startLsn = (segment * SEGMENT + 0x28n) as Lsn
  const finishLsn = ((segment + 1n) * SEGMENT + 0x100n) as Lsn
  await put(store, metadataKey(name), encodeMetadata(metadataOf({ startLsn, finishLsn, system, storedBytes })))
  const increment = parent === undefined ? undefined : { parentLsn: 0x2000028n as Lsn, parent, root: FULL, depth: 1 }
  await put(store, sentinelKey(name), encodeSentinel(sentinelOf({ startLsn, finishLsn, system, storedBytes, increment })))
}

interface Facts {
  readonly startLsn: Lsn
  readonly finishLsn: Lsn
  readonly system: SystemIdentifier
  readonly storedBytes: number
}

function metadataOf({ startLsn, finishLsn, system, storedBytes }: Facts): BackupMetadata {
  return {
    startTime: '2026-01-01T00:00:00Z',
    finishTime: '2026-01-01T00:00:05Z',
    dateFormat: '%Y-%m-%dT%H:%M:%S.%fZ',
    hostname: 'db1',
    dataDirectory: '/data',
    serverVersion: 150020,
    startLsn,
    finishLsn,
    permanent: false,
    systemIdentifier: system,
    uncompressedBytes: 4711,
    storedBytes,
    userData: { compressed_size: 5, exact: 12345678901234567890n },
  }
}

function sentinelOf({ increment, system, ...facts }: Facts & { readonly increment: Sentinel['increment'] }): Sentinel {
  return {
    ...facts,
    increment,
    serverVersion: 150020,
    systemIdentifier: system,
    uncompressedBytes: 4711,
    dataDirectoryBytes: 1,
    tablespaces: undefined,
    userData: { CompressedSize: 5, exact: 12345678901234567890n },
    filesMetadataDisabled: false,
    version: 2,
    startTime: '2026-01-01T00:00:00Z',
    finishTime: '2026-01-01T00:00:05Z',
    hostname: 'db1',
    dataDirectory: '/data',
    permanent: false,
  }
}

export const segmentName = (number: number, timeline = 1): string =>
  [timeline, Math.floor(number / 256), number % 256]
    .map((part) => part.toString(16).padStart(8, '0'))
    .join('')
    .toUpperCase()

/** Two fulls, an increment, WAL 1 to 12 of timeline 1 and 9 to 14 of timeline 2, a history, a list of metadata, an unfinished backup. */
export async function madeRepository(format: SealedFormat, only?: (key: string) => boolean): Promise<ObjectStore> {
  const store = createMemoryStore({ now })
  const wal = [
    ...Array.from({ length: 12 }, (_, at) => segmentName(at + 1)),
    ...Array.from({ length: 6 }, (_, at) => segmentName(at + 9, 2)),
  ]
  for (const name of [...wal, '00000002.history', `${segmentName(2)}.00000028.backup`, `${segmentName(13)}.partial`])
    await put(store, walKey(format.nameFor(name)), await collect(format.seal(sourceOf(noise(name, 4)))))
  await put(store, walKey(`${segmentName(2)}.json`), '{"sidecar":1}')
  await put(store, walKey(`${segmentName(2).slice(0, 23)}.json`), '{"bulk":1}')
  await storeBackup(store, format, { name: FULL, segment: 2n })
  await storeBackup(store, format, { name: DELTA, segment: 5n, parent: FULL })
  await storeBackup(store, format, { name: SECOND, segment: 8n, manifest: false })
  await put(store, 'basebackups_005/base_00000001000000000000000A/tar_partitions/part_001.tar.lz4', 'unfinished')
  if (only !== undefined) for (const key of (await contentsOf(store)).keys()) if (!only(key)) await store.delete([key])
  return store
}

/** A copy with what never changes filled in. */
export async function copy(parts: Pick<CopyOptions, 'from' | 'to'> & Partial<CopyOptions>): Promise<CopyResult> {
  return await copyBackups({ objectsAtOnce: 3, now, sleep, tool: { name: 'waltz', version: '1' }, ...parts })
}
