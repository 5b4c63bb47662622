import { Fault } from '@waltz/errors'

const LEVELS: Readonly<Record<string, number>> = { fastest: 1, default: 3, better: 7, best: 11 }

/**
 * The zstd level for a word of `WALG_ZSTD_LEVEL` (RF 6.1): `fastest`, `default`, `better` or `best` in any case.
 * @throws Fault `invalid` `CODEC_OPTION_INVALID` for another word.
 */
export function zstdLevelFromWord(word: string): number {
  const level = Object.hasOwn(LEVELS, word.toLowerCase()) ? LEVELS[word.toLowerCase()] : undefined
  if (level !== undefined) return level
  throw new Fault('invalid', 'CODEC_OPTION_INVALID', `"${word}" is not a zstd level`, {
    hint: `Use one of ${Object.keys(LEVELS).join(', ')}.`,
  })
}
