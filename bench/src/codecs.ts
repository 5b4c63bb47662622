/** The codecs that are compared, with the program and the level that stand for each, and how each program spells them. */
import type { CodecName } from './model.ts'

export interface CodecRow {
  readonly name: CodecName
  /** The filter between tar and the archive; undefined when there is none. */
  readonly compress: string | undefined
  readonly decompress: string | undefined
  readonly extension: string
  /** As pgBackRest calls it; undefined when it has no such codec. */
  readonly pgbackrest: { readonly type: string; readonly level: number | undefined } | undefined
}

export const codecs: readonly CodecRow[] = [
  { name: 'lz4', compress: 'lz4 -1 -q -c', decompress: 'lz4 -d -q -c', extension: '.lz4', pgbackrest: { type: 'lz4', level: 1 } },
  { name: 'zstd', compress: 'zstd -3 -q -c', decompress: 'zstd -d -q -c', extension: '.zst', pgbackrest: { type: 'zst', level: 3 } },
  { name: 'brotli', compress: 'brotli -q 3 -c', decompress: 'brotli -d -c', extension: '.br', pgbackrest: undefined },
  { name: 'none', compress: undefined, decompress: undefined, extension: '', pgbackrest: { type: 'none', level: undefined } },
]

/** The row of a codec. */
export function codecRow(name: CodecName): CodecRow {
  const row = codecs.find((candidate) => candidate.name === name)
  if (row === undefined) throw new Error(`${name} is not in the table of codecs`)
  return row
}
