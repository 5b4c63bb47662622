import { CHUNK_BYTES } from '@waltz/bytes'
import { createCodecRegistry, zstdLevelFromWord } from '@waltz/codecs'
import { createSealedFormat, type SealedFormat } from '@waltz/repository'
import type { Cipher } from '@waltz/crypto'
import { settingsTable, type Settings } from '@waltz/settings'
import { laneCount } from './lane-count.ts'
import type { KitSurroundings } from './surroundings.ts'

/** Settings that have no default and speak of keys. */
const ENCRYPTION_KEYS: ReadonlySet<string> = new Set(
  Object.entries(settingsTable).flatMap(([key, row]) => (row.area === 'encryption' && !('fallback' in row) ? [key] : [])),
)
/** More than this gains nothing: the thread pool has four threads. */
const MOST_BLOCKS = 4
/** A trip to the thread pool and back costs as much as compressing 50 KiB: blocks of a MiB where memory allows a few of them. */
const LARGE_BLOCK_BYTES = 1_048_576
const FEWEST_LARGE_BLOCKS = 3

/** The form of stored objects. Disposing of it forgets its keys: it can neither seal nor open afterwards. */
export type OpenedFormat = SealedFormat & Disposable

/**
 * The form of stored objects that the settings ask for. Loads the one codec that new objects are written with; others
 * are loaded when an object needs them.
 * @throws Fault `invalid` or `unsupported` when the codec or its level is not available here, and for keys that cannot work.
 */
export async function openFormat(settings: Settings, surroundings: KitSurroundings): Promise<OpenedFormat> {
  const registry = createCodecRegistry()
  const level = settings.compressionLevel ?? (settings.zstdLevel === undefined ? undefined : zstdLevelFromWord(settings.zstdLevel))
  const lanes = laneCount(settings.uploadDiskConcurrency, surroundings.cores)
  const codec = await registry.byName(settings.compressionMethod, {
    ...blocksOfLane(settings.maxBytesInFlight / lanes),
    ...(level === undefined ? {} : { level }),
    ...(settings.zstdLong === undefined ? {} : { longWindowLog: settings.zstdLong }),
  })
  const cipher = await cipherOf(settings, surroundings)
  return { ...createSealedFormat({ codec, registry, cipher }), [Symbol.dispose]: () => cipher?.[Symbol.dispose]() }
}

/** Most repositories have no key: then nothing of encryption is loaded. */
async function cipherOf(settings: Settings, surroundings: KitSurroundings): Promise<Cipher | undefined> {
  if (!Object.keys(settings).some((key) => ENCRYPTION_KEYS.has(key) && settings[key as keyof Settings] !== undefined)) return undefined
  return await (await import('./encryption/open-cipher.ts')).openCipher(settings, surroundings)
}

/** What a lane may hold of blocks: how large they are, and how many may be compressed at once. */
function blocksOfLane(bytes: number): { readonly blockBytes: number; readonly blocksInFlight: number } {
  const large = countBlocks(bytes, LARGE_BLOCK_BYTES)
  if (large >= FEWEST_LARGE_BLOCKS) return { blockBytes: LARGE_BLOCK_BYTES, blocksInFlight: large }
  return { blockBytes: CHUNK_BYTES, blocksInFlight: Math.max(1, countBlocks(bytes, CHUNK_BYTES)) }
}

/** Each block is there twice, as it was read and as it will be stored, and a few are being assembled. */
function countBlocks(bytes: number, blockBytes: number): number {
  return Math.min(Math.floor(bytes / (2 * blockBytes)) - 2, MOST_BLOCKS)
}
