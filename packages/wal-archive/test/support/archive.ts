import { readAll, sourceOf } from '@waltz/bytes'
import { createCodecRegistry } from '@waltz/codecs'
import { isFault, type Fault } from '@waltz/errors'
import type { SystemIdentifier } from '@waltz/pg-structures'
import { createSealedFormat, type SealingCipher } from '@waltz/repository'
import type { ObjectStore } from '@waltz/storage'
import { createMemoryStore } from '@waltz/storage/memory'
import { createWalArchive, loadCrc32c, type WalArchive, type WalArchiveEvent, type WalArchiveOptions } from '../../src/index.ts'

export interface TestArchive {
  readonly archive: WalArchive
  readonly store: ObjectStore
  readonly events: WalArchiveEvent[]
  readonly sleeps: number[]
}

export interface TestArchiveOptions extends Partial<Omit<WalArchiveOptions, 'format'>> {
  readonly codec?: string
  readonly cipher?: SealingCipher
  /** Called during each sleep, so that a test can change the world while the archive waits. */
  readonly whileAsleep?: () => Promise<void>
}

export const memoryStore = (): ObjectStore => createMemoryStore({ now: () => new Date('2026-03-01T00:00:00Z') })

/** An archive in memory whose sleeps pass at once. */
export async function openTestArchive(options: TestArchiveOptions = {}): Promise<TestArchive> {
  const { codec = 'lz4', cipher, store = memoryStore(), whileAsleep, ...rest } = options
  const registry = createCodecRegistry()
  const format = createSealedFormat({ codec: await registry.byName(codec), registry, cipher })
  const events: WalArchiveEvent[] = []
  const sleeps: number[] = []
  const archive = createWalArchive({
    store,
    format,
    whenStored: 'refuse',
    crc32c: loadCrc32c,
    sleep: async (ms) => {
      sleeps.push(ms)
      await whileAsleep?.()
    },
    now: () => new Date('2026-03-01T00:00:00Z'),
    holeRecheckMs: 100,
    observe: (event) => events.push(event),
    ...rest,
  })
  return { archive, store, events, sleeps }
}

export const system = (value: bigint): SystemIdentifier => value as SystemIdentifier

/** Pushes bytes under a name. */
export const push = (archive: WalArchive, name: string, bytes: Uint8Array | string) => {
  const plain = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes
  return archive.push(name, () => sourceOf(plain), { size: plain.length })
}

/** The plain bytes of an archived file. */
export async function fetched(archive: WalArchive, name: string): Promise<Uint8Array> {
  await using opened = await archive.fetch(name)
  return await readAll(opened.source, 2 ** 30)
}

/** The fault that a call ends with. */
export async function faultOf(promise: Promise<unknown>): Promise<Fault> {
  try {
    await promise
  } catch (error) {
    if (isFault(error)) return error
    throw error
  }
  throw new Error('no fault')
}

/** Every key with its size. */
export async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list('')) keys.push(key)
  return keys
}

/** The bytes of an object as they are stored. */
export async function storedBytes(store: ObjectStore, key: string): Promise<Uint8Array> {
  return await readAll(await store.get(key), 2 ** 30)
}

/** Puts an object as it is, replacing what is there. */
export async function putRaw(store: ObjectStore, key: string, bytes: Uint8Array | string): Promise<void> {
  await store.put(key, sourceOf(bytes))
}
