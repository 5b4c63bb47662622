import { CHUNK_BYTES } from '@waltz/bytes'
import { createCodecRegistry, zstdLevelFromWord } from '@waltz/codecs'
import { createSealedFormat, type SealedFormat } from '@waltz/repository'
import type { Settings } from '@waltz/settings'
import { laneCount } from './lane-count.ts'
import type { KitSurroundings } from './surroundings.ts'

/** More than this gains nothing: the thread pool has four threads. */
const MOST_BLOCKS = 4

/**
 * The form of stored objects that the settings ask for. Loads the one codec that new objects are written with; others
 * are loaded when an object needs them.
 * @throws Fault `invalid` or `unsupported` when the codec or its level is not available here.
 */
export async function openFormat(settings: Settings, surroundings: KitSurroundings): Promise<SealedFormat> {
  const registry = createCodecRegistry()
  const level = settings.compressionLevel ?? (settings.zstdLevel === undefined ? undefined : zstdLevelFromWord(settings.zstdLevel))
  const lanes = laneCount(settings.uploadDiskConcurrency, surroundings.cores)
  const codec = await registry.byName(settings.compressionMethod, {
    blocksInFlight: blocksInFlight(settings.maxBytesInFlight, lanes),
    ...(level === undefined ? {} : { level }),
  })
  return createSealedFormat({ codec, registry })
}

/** How many blocks of a lane may be compressed at once: each is there twice, as it was read and as it will be stored, and one is being assembled. */
function blocksInFlight(maxBytes: number, lanes: number): number {
  const blocks = Math.floor(maxBytes / lanes / (2 * CHUNK_BYTES)) - 1
  return Math.max(1, Math.min(blocks, MOST_BLOCKS))
}
