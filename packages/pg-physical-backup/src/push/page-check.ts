import { parseRelationPath, verifyPages, type Lsn } from '@waltz/pg-structures'
import { readInto, type SourceFile } from './source-file.ts'

/** How often a page that looks damaged is read again, and how long to wait before each time, in milliseconds. */
const REREAD_DELAYS_MS: readonly number[] = [0, 20, 100, 500]
const REREAD_ONCE: readonly number[] = [0]

/** In a file with more bad pages than this nobody is writing: its further pages are read again once, without waiting. */
const PATIENT_PAGES = 16

/** What page verification needs to know of the cluster. */
export interface PageCheckOptions {
  readonly blockBytes: number
  /** Blocks per relation segment file, from pg_control. */
  readonly relationSegmentBlocks: number
  /** Pages with a later LSN are not judged: WAL replay from here rewrites them. */
  readonly startLsn: Lsn
  readonly sleep: (ms: number) => Promise<void>
}

/** Verifies the pages of one relation file as they are read for the backup. */
export interface PageCheck {
  /**
   * Checks whole pages that start at block `firstBlock` of the file. A page that looks damaged is read again a few times,
   * because the server may be writing it; the bytes that were found good replace it in `bytes`. Resolves to the
   * blocks that stay bad, ascending, relative to the file.
   */
  check(file: SourceFile, bytes: Uint8Array, firstBlock: number): Promise<readonly number[]>
  readonly blockBytes: number
}

/** The check for a member, or undefined when it is not a relation file and so has no pages. */
export function pageCheckFor(name: string, options: PageCheckOptions): PageCheck | undefined {
  const relation = parseRelationPath(name.slice(1))
  if (relation === undefined) return undefined
  const { blockBytes, startLsn } = options
  const base = relation.segment * options.relationSegmentBlocks

  const badBlocks = (bytes: Uint8Array, firstBlock: number): number[] =>
    verifyPages({ bytes, firstBlock: base + firstBlock, blockBytes, startLsn }).map((bad) => bad.block - base)

  const reread = async (file: SourceFile, page: Uint8Array, block: number): Promise<boolean> => {
    const again = new Uint8Array(blockBytes)
    const count = await readInto(file, again, 0, { position: block * blockBytes, length: blockBytes })
    // A page behind the end was truncated away; replay does the same.
    if (count < blockBytes) return true
    if (badBlocks(again, block).length > 0) return false
    page.set(again)
    return true
  }

  let badSoFar = 0
  return {
    blockBytes,
    async check(file, bytes, firstBlock) {
      let suspects = badBlocks(bytes, firstBlock)
      for (const delayMs of badSoFar < PATIENT_PAGES ? REREAD_DELAYS_MS : REREAD_ONCE) {
        if (suspects.length === 0) break
        if (delayMs > 0) await options.sleep(delayMs)
        const still: number[] = []
        for (const block of suspects) {
          const offset = (block - firstBlock) * blockBytes
          if (!(await reread(file, bytes.subarray(offset, offset + blockBytes), block))) still.push(block)
        }
        suspects = still
      }
      badSoFar += suspects.length
      return suspects
    },
  }
}
