import { createCodecRegistry, zstdLevelFromWord } from '@waltz/codecs'
import { createSealedFormat, type SealedFormat } from '@waltz/repository'
import type { Settings } from '@waltz/settings'
import type { KitSurroundings } from './surroundings.ts'

/**
 * The form of stored objects that the settings ask for. Loads the one codec that new objects are written with; others
 * are loaded when an object needs them.
 * @throws Fault `invalid` or `unsupported` when the codec or its level is not available here.
 */
export async function openFormat(settings: Settings, _surroundings: KitSurroundings): Promise<SealedFormat> {
  const registry = createCodecRegistry()
  const level = settings.compressionLevel ?? (settings.zstdLevel === undefined ? undefined : zstdLevelFromWord(settings.zstdLevel))
  return createSealedFormat({ codec: await registry.byName(settings.compressionMethod, level === undefined ? {} : { level }), registry })
}
